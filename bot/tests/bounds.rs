//! What nobody has without end: new sessions, connections that are not read, streams; and the time in
//! which a bot that was told to stop is still there.

#![allow(clippy::unwrap_used)] // a test ends where something is amiss

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Bot, start};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_mins(1);
const SECRET: &str = "only for these tests";

/// As the page says it, with this cookie or none.
async fn say(bot: &Bot, cookie: Option<&str>, message: &str) -> Response {
    let url = format!("http://{}/say", bot.address);
    let request = bot.client.post(url).header("sec-fetch-site", "same-origin");
    let request = match cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    };
    let request = request.json(&json!({ "message": message }));
    request.send().await.unwrap()
}

fn cookie(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// Whether the cookie is dropped or made up, whoever does it is not somebody new without end.
#[tokio::test]
async fn who_drops_the_cookie_is_not_a_new_person_without_end() {
    let token = format!("--moderator-token={SECRET}");
    let options = [
        &token,
        "--new-sessions-per-minute=6",
        "--new-sessions-burst=3",
    ];
    let bot = start(&options).await;
    let first = say(&bot, None, "!ping").await;
    let known = cookie(&first);
    for n in 1..3 {
        assert_eq!(say(&bot, None, "!ping").await.status(), 200, "{n}");
    }
    let limited = say(&bot, None, "!ping").await;
    assert_eq!(limited.status(), 429);
    let wait: u64 = limited.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=11).contains(&wait), "{wait}");
    let body: Value = limited.json().await.unwrap();
    assert!(
        body["error"].as_str().unwrap().contains("new guests"),
        "{body}"
    );
    let made_up = format!("chatbotler_session={}", "5e".repeat(16));
    assert_eq!(say(&bot, Some(&made_up), "!ping").await.status(), 429);
    let series = "bot_limited_total{limit=\"session\"}";
    assert_eq!(bot.series(series).await, Some(2.0));

    assert_eq!(
        say(&bot, Some(&known), "!ping").await.status(),
        200,
        "whom it knows is let in"
    );
    let login = bot
        .client
        .post(format!("http://{}/desk/login", bot.address));
    let login = login.header("sec-fetch-site", "same-origin");
    let login = login
        .json(&json!({ "secret": SECRET }))
        .send()
        .await
        .unwrap();
    assert_eq!(login.status(), 204);
    let pass = cookie(&login);
    assert_eq!(
        say(&bot, Some(&pass), "!stop").await.status(),
        200,
        "and so is a moderator"
    );
}

/// A school that looks at the bot for the first time, through one proxy.
#[tokio::test]
async fn two_hundred_people_may_come_at_once_by_one_address() {
    let bot = start(&[]).await;
    for n in 0..200 {
        assert_eq!(say(&bot, None, "!ping").await.status(), 200, "{n}");
    }
}

/// A client that sends this and never reads.
async fn deaf(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: bot\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// More of them than the kernels on both sides keep, so that the bot has to wait for the reader.
#[tokio::test]
async fn who_does_not_read_the_answers_frees_the_place() {
    let bot = start(&["--connections=1", "--connection-silence=1s"]).await;
    let many = "GET /metrics HTTP/1.1\r\nhost: bot\r\n\r\n".repeat(2000);
    let deaf = deaf(bot.address, &many).await;
    deaf.readable().await.unwrap(); // it has the one place
    let answer = tokio::time::timeout(SOON, ask(bot.address, "/healthz")).await;
    assert!(answer.expect("the place is free again").ends_with("ok"));
    drop(deaf);
}

/// What a stream says is so little that the kernels take it for hours, read or not.
#[tokio::test]
async fn a_stream_that_nobody_reads_frees_the_place() {
    let options = [
        "--page-streams=1",
        "--page-stream-age=3s",
        "--connection-silence=1s",
    ];
    let bot = start(&options).await;
    let deaf = deaf(bot.address, "GET /events HTTP/1.1\r\nhost: bot\r\n\r\n").await;
    bot.until("bot_page_streams", 1.0).await;
    assert_eq!(bot.get("/events").await.status(), 503, "there is one place");
    bot.until("bot_page_streams", 0.0).await;
    let next = bot.get("/events").await;
    assert_eq!(next.status(), 200);
    // the connection goes too, not only the place
    deaf.readable().await.unwrap();
    let gone = async {
        let (mut stream, mut all) = (deaf, Vec::new());
        let _ = stream.read_to_end(&mut all).await; // ended or reset: it is over
    };
    tokio::time::timeout(SOON, gone)
        .await
        .expect("it is closed");
}

/// What a stream would have said unasked is there for a page that found no place.
#[tokio::test]
async fn a_page_without_a_stream_hears_its_reminders() {
    let bot = start(&["--page-streams=0"]).await;
    let page = cookie(&say(&bot, None, "!remind 1s tea is ready").await);
    let series = "bot_reminder_deliveries_total{event=\"delivered\"}";
    bot.until(series, 1.0).await;
    let url = format!("http://{}/said", bot.address);
    let said = async |cookie: &str| -> Value {
        let request = bot.client.get(&url).header("cookie", cookie);
        request.send().await.unwrap().json().await.unwrap()
    };
    let mine = said(&page).await;
    assert!(
        mine[0]["text"].as_str().unwrap().contains("tea is ready"),
        "{mine}"
    );
    assert_eq!(said("nobody=0").await, json!([]), "nobody else does");
}

#[tokio::test]
async fn a_bot_that_is_told_to_stop_is_there_until_those_who_send_know() {
    let bot = start(&["--drain-delay=5s"]).await;
    assert_eq!(bot.get("/readyz").await.status(), 200);
    let told = Instant::now();
    bot.stop.cancel();
    while bot.get("/readyz").await.status() != 503 {
        assert!(told.elapsed() < SOON, "it is still ready");
    }
    // a client of its own has no connection yet: it is let in all the same
    let stranger = reqwest::Client::new().get(format!("http://{}/check", bot.address));
    assert_eq!(stranger.send().await.unwrap().status(), 200);
    assert_eq!(bot.chat("!ping").await.0, 200);
    drop(bot.client);
    tokio::time::timeout(SOON, bot.run)
        .await
        .expect("it ends")
        .unwrap()
        .unwrap();
    assert!(told.elapsed() >= Duration::from_secs(5));
}
