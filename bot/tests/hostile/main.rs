//! Hostile input, through the real bot over real HTTP: what must be true of each, one row each. After each
//! row the bot must still answer a command, and its books must balance.

#![allow(clippy::unwrap_used)] // tests

#[path = "../common/mod.rs"]
mod common;
mod rows;

use std::time::Duration;

use common::{Bot, start};
use rows::{Must, Sent};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn hostile_input_gets_what_it_deserves() {
    let rows = rows::all();
    assert!(rows.len() >= 50, "only {} rows", rows.len());
    let bot = start(&[]).await;
    let mut wrong = Vec::new();
    for (title, sent, must) in &rows {
        if let Err(error) = row(&bot, sent, must).await {
            wrong.push(format!("{title}: {error}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    balance(&bot).await;
}

async fn row(bot: &Bot, sent: &Sent, must: &Must) -> Result<(), String> {
    let ignored = "bot_message_outcomes_total{door=\"api\",outcome=\"ignored\"}";
    let before = bot.series(ignored).await.unwrap();
    let (status, answer) = match sent {
        Sent::Text(text) => post(bot, json!({"message": text}).to_string().into_bytes()).await,
        Sent::Name(name) => {
            post(
                bot,
                json!({"message": "hello", "user": name})
                    .to_string()
                    .into_bytes(),
            )
            .await
        }
        Sent::Body(body) => post(bot, body.clone()).await,
        Sent::Raw(bytes) => (0, exchange(bot, bytes).await),
    };
    let answered = || -> Result<String, String> {
        let reply: Value =
            serde_json::from_str(&answer).map_err(|e| format!("{status} {answer}: {e}"))?;
        let said = reply["answer"]
            .as_str()
            .ok_or(format!("{status} {answer}"))?;
        harmless(said)?;
        Ok(format!(
            "{status} {} {said}",
            reply["feature"].as_str().unwrap_or_default()
        ))
    };
    let is = |what: String, right: bool| if right { Ok(()) } else { Err(what) };
    match must {
        Must::Talk => {
            let said = answered()?;
            // a feature that is there or not: what looks like a command of a talk is none
            is(
                said.clone(),
                said.starts_with("200 ai-chat ") || said.starts_with("200 reminders "),
            )?;
        }
        Must::Command(words) => is(answered()?, answered()? == format!("200 commands {words}"))?,
        Must::Refuse(words) => is(
            answered()?,
            answered()?.starts_with("422 ") && answered()?.contains(words),
        )?,
        Must::NoMessage(expected) => {
            let reply: Value = serde_json::from_str(&answer).unwrap_or_default();
            is(
                format!("{status} {answer}"),
                status == *expected && reply["error"].is_string(),
            )?;
        }
        Must::Ignore => {
            is(
                format!("{status} {answer}"),
                status == 204 && answer.is_empty(),
            )?;
            let after = bot.series(ignored).await.unwrap();
            is(
                format!("{after} ignored after {before}"),
                (after - before - 1.0).abs() < 0.1,
            )?;
        }
        Must::Greet(name) => {
            let said = answered()?;
            is(
                said.clone(),
                said.starts_with(&format!("200 ai-chat Good day, {name}, how nice")),
            )?;
        }
        Must::Line(start) => is(answer.chars().take(80).collect(), answer.starts_with(start))?,
        Must::Two => is(answer.clone(), answer.matches("HTTP/1.1 200").count() == 2)?,
    }
    let (status, reply) = bot.chat("!ping").await;
    is(
        format!("then a ping got {status} {reply}"),
        status == 200 && reply["answer"] == "Pong.",
    )
}

/// What no answer may have, whatever was sent.
fn harmless(said: &str) -> Result<(), String> {
    let lower = said.to_lowercase();
    let armed = [
        "@everyone",
        "@here",
        "<@",
        "discord.gg/",
        "\u{1b}",
        "\u{202e}",
        "\u{200b}",
        "\0",
        "<script",
    ];
    match armed.iter().find(|armed| lower.contains(**armed)) {
        Some(armed) => Err(format!("an answer with {armed:?}: {said}")),
        None if said.encode_utf16().count() > 2000 => {
            Err(format!("an answer of {} bytes", said.len()))
        }
        None => Ok(()),
    }
}

async fn post(bot: &Bot, body: Vec<u8>) -> (u16, String) {
    let url = format!("http://{}/chat", bot.address);
    let request = bot
        .client
        .post(url)
        .header("content-type", "application/json")
        .body(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.text().await.unwrap())
}

/// Everything that comes back until the connection is closed, or nothing more comes.
async fn exchange(bot: &Bot, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(bot.address).await.unwrap();
    // the bot may hang up before it has read all
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let mut patience = Duration::from_secs(20); // each of these is answered
    while let Ok(Ok(n)) = tokio::time::timeout(patience, stream.read(&mut chunk)).await {
        if n == 0 {
            break;
        }
        answer.extend_from_slice(&chunk[..n]);
        patience = Duration::from_secs(2);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// What came in has ended, under features that exist and no other.
async fn balance(bot: &Bot) {
    let text = bot.metrics().await;
    let sum = |name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    assert!(
        (sum("bot_messages_total{") - sum("bot_message_outcomes_total{")).abs() < 0.1,
        "{text}"
    );
    assert!(
        (sum("bot_arrivals_total{") - sum("bot_requests_total{")).abs() < 0.1,
        "{text}"
    );
    assert!(
        sum("bot_requests_total{feature=\"moderation\"") < 0.1,
        "nobody is a moderator here"
    );
    assert!(!text.contains("forged"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let bot = start(&[]).await;
    let mut stream = TcpStream::connect(bot.address).await.unwrap();
    let head = "POST /chat HTTP/1.1\r\nhost: bot\r\ncontent-type: application/json\r\ncontent-length: 30\r\nconnection: close\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
    read.await.expect("the bot waits for ever").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(bot.chat("!ping").await.0, 200);
}
