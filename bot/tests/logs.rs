//! What the bot writes about people, as its operator sees it: the real process, and its whole stderr.

#![allow(clippy::unwrap_used)] // tests

mod common;

use std::process::Command;

use common::process::Process;
use serde_json::{Value, json};

const WORDS: &str = "xylophone-marker";
const NAME: &str = "Zebulon-marker";
const SECRET: &str = "a-secret-marker-of-the-owner";

/// Says things that are answered, refused, ignored, broken and hung up on, and gives the log.
async fn said(options: &[&str]) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options: Vec<&str> = ["--log=trace"].iter().chain(options).copied().collect();
    let bot = Process::start(&options, &[("CHATBOTLER_LOG_USER_KEY", SECRET)]);
    let client = reqwest::Client::new();
    let url = format!("{}/chat", bot.url);
    let post = |body: Value| client.post(&url).json(&body);
    for (message, status) in [
        (format!("hello {WORDS}"), 200),
        (format!("!ping {WORDS}"), 200),
        (format!("!dance {WORDS}"), 200),
        (
            format!("{WORDS}\n{{\"message\":\"request\",\"door\":\"forged\"}}\u{1b}[2J"),
            200,
        ),
        (WORDS.repeat(200), 422),
        (format!("$ignore {WORDS}"), 204),
    ] {
        let response = post(json!({"message": message, "user": NAME}))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{message}");
    }
    let broken = post(json!({"message": [WORDS], "user": NAME}))
        .send()
        .await
        .unwrap();
    assert_eq!(broken.status(), 422);
    let query = client
        .get(format!("{}/status?said={WORDS}", bot.url))
        .send()
        .await
        .unwrap();
    assert_eq!(query.status(), 200);
    assert_eq!(
        client
            .get(format!("{}/check", bot.url))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    drop(client);
    tokio::task::spawn_blocking(|| bot.end()).await.unwrap()
}

fn requests(log: &str) -> Vec<Value> {
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter(|line| line["message"] == "request").collect()
}

#[tokio::test]
async fn nobodys_words_or_name_are_in_the_log() {
    let log = said(&[]).await;
    for marker in [WORDS, NAME, SECRET] {
        assert!(!log.contains(marker), "{marker} in {log}");
    }
    let requests = requests(&log);
    let ends: Vec<(&str, &str, &str)> = requests
        .iter()
        .map(|line| {
            let of = |field: &str| line[field].as_str().unwrap_or("-");
            (of("door"), of("outcome"), of("cause"))
        })
        .collect();
    assert_eq!(
        ends,
        [
            ("api", "ok", "answered"),
            ("api", "ok", "answered"),
            ("api", "ok", "answered"),
            ("api", "ok", "answered"),
            ("api", "refused", "characters"),
            ("api", "ignored", "asked"),
            ("check", "ok", "answered"),
        ]
    );
    let first = &requests[0];
    assert_eq!(
        (first["feature"].as_str(), first["tier"].as_str()),
        (Some("ai-chat"), Some("Important"))
    );
    assert_eq!(first["request"].as_str().unwrap().len(), 32);
    for field in ["duration_ms", "queue_ms"] {
        assert!(first[field].as_f64().is_some(), "{first}");
    }
    assert!(
        first.get("text").is_none() && first.get("user").is_none(),
        "{first}"
    );
}

#[tokio::test]
async fn the_owner_may_have_the_words_though_not_the_names() {
    let log = said(&["--log-text"]).await;
    // what people type can forge no line, nor command a terminal
    assert!(requests(&log).iter().all(|line| line["door"] != "forged"));
    assert!(!log.contains('\u{1b}'));
    let texts = requests(&log)
        .iter()
        .filter(|line| line["text"].as_str().is_some_and(|t| t.contains(WORDS)))
        .count();
    assert_eq!(texts, 6, "{log}");
    for marker in [NAME, SECRET] {
        assert!(!log.contains(marker), "{marker} in {log}");
    }
}

#[test]
fn a_key_that_can_be_guessed_stops_the_start_and_is_not_repeated() {
    let output = Command::new(env!("CARGO_BIN_EXE_chatbotler"))
        .args(["--listen=127.0.0.1:0", "--store=sqlite::memory:"])
        .env("CHATBOTLER_LOG_USER_KEY", "hunter2")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.contains("--log-user-key") && !errors.contains("hunter2"),
        "{errors}"
    );
}
