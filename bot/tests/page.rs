//! The page over real HTTP: sessions, events, what only its own origin may do, the moderators' desk.

#![allow(clippy::unwrap_used)] // a test ends where something is amiss

mod common;

use std::time::Duration;

use common::{Bot, Mount, flags, start};
use futures::StreamExt;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

const SECRET: &str = "--moderator-token=only for these tests";

/// A browser, as far as the bot can tell: it keeps one cookie.
struct Page<'a> {
    bot: &'a Bot,
    cookie: String,
}

impl<'a> Page<'a> {
    async fn open(bot: &'a Bot) -> Self {
        let cookie = cookie(&bot.get("/").await);
        Self { bot, cookie }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.bot.address)
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.bot.client.post(self.url(path)).json(body);
        request
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &self.cookie)
    }

    async fn say(&self, message: &str) -> Value {
        // as when the same message is sent again
        let id: String = message
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let body = json!({"message": message, "id": id});
        let response = self.post("/say", &body).send().await.unwrap();
        response.json().await.unwrap()
    }

    async fn events(&self) -> Events {
        let request = self.bot.client.get(self.url("/events"));
        let response = request.header("cookie", &self.cookie).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let stream = response.bytes_stream();
        Events {
            stream: Box::pin(stream.map(|part| part.unwrap().to_vec())),
            text: String::new(),
        }
    }
}

struct Events {
    stream: std::pin::Pin<Box<dyn futures::Stream<Item = Vec<u8>> + Send>>,
    text: String,
}

impl Events {
    /// The next event of that name, comments and others left out.
    async fn next(&mut self, name: &str) -> Option<Value> {
        let within = Duration::from_secs(20);
        tokio::time::timeout(within, async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    let line = |key: &str| event.lines().find_map(|line| line.strip_prefix(key));
                    if line("event: ") == Some(name) {
                        return Some(serde_json::from_str(line("data: ").unwrap()).unwrap());
                    }
                }
                self.text
                    .push_str(std::str::from_utf8(&self.stream.next().await?).unwrap());
            }
        })
        .await
        .unwrap()
    }
}

/// What the browser would send back.
fn cookie(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_is_a_cookie_and_stays_the_same() {
    let bot = start(&[]).await;
    let page = Page::open(&bot).await;
    let said = page.post("/say", &json!({"message": "!ping"}));
    let said = said.send().await.unwrap();
    assert_eq!(cookie(&said), page.cookie);
    assert_eq!(said.json::<Value>().await.unwrap()["answer"], "Pong.");
    assert_ne!(Page::open(&bot).await.cookie, page.cookie);
}

#[tokio::test]
async fn only_the_own_page_may_say_something_for_a_session() {
    let bot = start(&[SECRET]).await;
    for path in [
        "/say",
        "/heard",
        "/desk/login",
        "/desk/logout",
        "/desk/order",
    ] {
        let url = format!("http://{}{path}", bot.address);
        let origin = format!("http://{}", bot.address);
        for (header, value, passes) in [
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-site", false),
            ("origin", "https://elsewhere.example", false),
            ("x-nothing", "at all", false),
            ("origin", &origin, true),
        ] {
            let request = bot.client.post(&url).header(header, value).json(&json!({}));
            let status = request.send().await.unwrap().status();
            assert_eq!(status != 403, passes, "{path} {header} {value}: {status}");
        }
    }
}

#[tokio::test]
async fn a_change_of_the_flags_is_an_event() {
    let mut mount = Mount::new();
    let bot = start(&[&mount.option()]).await;
    let page = Page::open(&bot).await;
    let mut events = page.events().await;
    let first = events.next("status").await.unwrap();
    assert_eq!(
        (&first["degraded"], &first["level"]),
        (&json!(false), &json!(0))
    );
    mount.swap(&flags(7, 3, ("Disabled", 0), "Disabled"));
    let mut next = events.next("status").await.unwrap();
    if next["level"] == 0 {
        next = events.next("status").await.unwrap(); // the source was there before its flags were read
    }
    assert_eq!(
        (&next["level"], &next["degraded"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(next, bot.status().await);
}

#[tokio::test]
async fn streams_are_few_and_end_when_the_bot_stops() {
    let bot = start(&["--page-streams=2"]).await;
    let (one, two) = (Page::open(&bot).await, Page::open(&bot).await);
    let mut events = (one.events().await, two.events().await);
    events.0.next("status").await.unwrap();
    assert_eq!(bot.series("bot_page_streams").await, Some(2.0));
    let third = bot.get("/events").await;
    assert_eq!(
        (third.status().as_u16(), &third.headers()["retry-after"]),
        (503, &"30".parse().unwrap())
    );
    assert_eq!(
        bot.series("bot_page_streams_refused_total").await,
        Some(1.0)
    );
    drop(events.1);
    bot.until("bot_page_streams", 1.0).await;
    bot.stop.cancel();
    assert_eq!(
        events.0.next("none of these").await,
        None,
        "it ends by itself"
    );
    bot.run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reminder_waits_for_its_page_and_is_said_until_it_was_heard() {
    let bot = start(&[]).await;
    let (page, other) = (Page::open(&bot).await, Page::open(&bot).await);
    for _ in 0..2 {
        page.say("!remind 1s tea is ready").await; // sent again, it is one reminder all the same
    }
    bot.until("bot_reminder_deliveries_total{event=\"delivered\"}", 1.0)
        .await;
    let mut said = Value::Null;
    for _ in 0..2 {
        said = page.events().await.next("said").await.unwrap(); // not heard yet: said again
        assert!(
            said["text"].as_str().unwrap().contains("tea is ready"),
            "{said}"
        );
    }
    let id = said["id"].as_str().unwrap();
    assert_eq!(
        id.len(),
        32,
        "it is logged, so it holds nothing of the session"
    );
    let heard = json!({"id": said["id"]});
    assert_eq!(
        other.post("/heard", &heard).send().await.unwrap().status(),
        204
    );
    assert_eq!(
        page.events().await.next("said").await.unwrap(),
        said,
        "another has no say in it"
    );
    assert_eq!(
        page.post("/heard", &heard).send().await.unwrap().status(),
        204
    );
    let mut events = page.events().await;
    page.say("!remind 1s cake").await;
    let next = events.next("said").await.unwrap();
    assert_ne!(next["id"], said["id"]);
}

#[tokio::test]
async fn the_desk_lets_in_who_knows_the_secret_and_nobody_else() {
    let bot = start(&[SECRET]).await;
    let page = Page::open(&bot).await;
    let order =
        |page: &Page<'_>, order: &str| page.post("/desk/order", &json!({"order": order})).send();
    assert_eq!(order(&page, "stop").await.unwrap().status(), 401);
    let wrong = page.post("/desk/login", &json!({"secret": "a guess"}));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let state: Value = bot.get("/desk/state").await.json().await.unwrap();
    assert_eq!(state, json!({"open": true}), "nothing is told outside");

    let login = page.post("/desk/login", &json!({"secret": "only for these tests"}));
    let login = login.send().await.unwrap();
    assert_eq!(login.status(), 204);
    let inside = Page {
        bot: &bot,
        cookie: format!("{}; {}", page.cookie, cookie(&login)),
    };
    assert_eq!(order(&inside, "stop").await.unwrap().status(), 200);
    assert_eq!(page.say("Hello!").await["outcome"], "stopped");
    assert_eq!(page.say("!start").await["outcome"], "denied");
    assert!(bot.status().await["stopped"]["since"].is_string());
    let state = bot
        .client
        .get(inside.url("/desk/state"))
        .header("cookie", &inside.cookie);
    let state: Value = state.send().await.unwrap().json().await.unwrap();
    let readings = state["readings"].as_array().unwrap();
    let queue = json!({"name": "bot_queue_depth", "labels": {"queue": "luxury"}, "value": 0.0});
    assert!(readings.contains(&queue), "{readings:?}");
    assert_eq!(
        inside.say("!start").await["outcome"],
        "ok",
        "also in the chat"
    );
    assert_eq!(page.say("Hello!").await["outcome"], "ok");
    assert_eq!(order(&inside, "dance").await.unwrap().status(), 422);
}

#[tokio::test]
async fn the_desk_bounds_tries_and_is_closed_without_a_secret() {
    let bot = start(&[SECRET]).await;
    let page = Page::open(&bot).await;
    let guess = || {
        page.post("/desk/login", &json!({"secret": "a guess"}))
            .send()
    };
    for _ in 0..5 {
        assert_eq!(guess().await.unwrap().status(), 401);
    }
    let limited = guess().await.unwrap();
    assert_eq!(limited.status(), 429);
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(
        bot.series("bot_desk_logins_total{result=\"wrong\"}").await,
        Some(5.0)
    );
    assert_eq!(
        bot.series("bot_desk_logins_total{result=\"limited\"}")
            .await,
        Some(1.0)
    );

    let closed = start(&[]).await;
    let page = Page::open(&closed).await;
    let login = page.post("/desk/login", &json!({"secret": ""}));
    assert_eq!(login.send().await.unwrap().status(), 404);
    let state: Value = closed.get("/desk/state").await.json().await.unwrap();
    assert_eq!(state, json!({"open": false}));
}
