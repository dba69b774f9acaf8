//! What lives from the store, over real HTTP: settings, reminders, statistics, stops.

#![allow(clippy::unwrap_used)] // helpers of tests

mod common;

use common::{Bot, Mount, start};
use serde_json::{Value, json};
use sqlx::{Connection, Executor};

const TOKEN: &str = "a-token-for-moderators";
const ANN: &str = "session-of-ann-0001";

async fn say(bot: &Bot, message: &str) -> String {
    let url = format!("http://{}/chat", bot.address);
    let body = json!({ "message": message, "user": "Ann", "session": ANN });
    let request = bot.client.post(url).bearer_auth(TOKEN).json(&body);
    let reply: Value = request.send().await.unwrap().json().await.unwrap();
    reply["answer"].as_str().unwrap().to_owned()
}

fn off(feature: &str) -> String {
    json!({
        "version": 1, "policy": "p", "level": 1, "levelName": "one", "since": null, "epoch": 1, "reason": "",
        "features": { feature: {"state": "Disabled", "value": false, "tier": "Important"} }
    })
    .to_string()
}

#[tokio::test]
async fn every_series_of_it_is_at_zero_on_the_first_scrape() {
    let bot = start(&[]).await;
    for (series, value) in [
        ("bot_store_up", 1.0),
        ("bot_store_errors_total{operation=\"reminders\"}", 0.0),
        (
            "bot_store_duration_seconds_count{operation=\"settings\"}",
            0.0,
        ),
        ("bot_stopped{scope=\"bot\"}", 0.0),
        ("bot_stopped{scope=\"guild\"}", 0.0),
        ("bot_reminders_pending", 0.0),
        ("bot_reminder_deliveries_total{event=\"given-up\"}", 0.0),
        ("bot_active_users{window=\"hour\"}", 0.0),
        ("bot_active_users{window=\"day\"}", 0.0),
        ("bot_activity_uncounted_total", 0.0),
    ] {
        assert_eq!(bot.series(series).await, Some(value), "{series}");
    }
}

#[tokio::test]
async fn settings_are_checked_kept_and_unset() {
    let bot = start(&["--moderator-token", TOKEN]).await;
    for (message, part) in [
        ("!set", "reminders-per-person"),
        ("!set colour red", "I know roles"),
        ("!set roles", "is not set"),
        ("!set roles guest, helper", "roles is now guest, helper"),
        ("!set ROLES", "roles is guest, helper"),
        ("!set roles -", "no longer set"),
        ("!set roles", "is not set"),
        ("!set reminders-per-person many", "from 0 to 100"),
        ("!set reminders-per-person 1", "is now 1"),
        ("!remind 1h one", "in 1 h"),
        ("!remind 1h two", "You have 1 already"),
        ("!remind", "!remind 10m tea is ready"),
        ("!remind soon tea", "90s, 10m, 2h30m or 3d"),
        ("!reminders", "Your reminders (1):\nin 59 min"),
        ("!reminders clear", "Forgotten: 1"),
        ("!reminders", "You have no reminders"),
    ] {
        let answer = say(&bot, message).await;
        assert!(answer.contains(part), "{message}: {answer}");
    }
}

#[tokio::test]
async fn what_is_due_is_said_while_no_new_ones_are_taken() {
    let mut mount = Mount::new();
    let bot = start(&[&mount.option()]).await;
    assert!(say(&bot, "!remind 2s tea").await.contains("in 2 s"));
    mount.swap(&off("reminders"));
    bot.until("bot_flags_epoch", 1.0).await;
    let answer = say(&bot, "!remind 1h more").await;
    assert!(answer.contains("those you set are kept"), "{answer}");
    bot.until("bot_reminder_deliveries_total{event=\"delivered\"}", 1.0)
        .await;
    let inbox = bot.get(&format!("/inbox?session={ANN}")).await;
    let inbox: Value = inbox.json().await.unwrap();
    assert_eq!(inbox[0]["text"], "tea");
    assert_eq!(bot.get("/inbox?session=short").await.status(), 422);
    let other: Value = bot
        .get("/inbox?session=session-of-bob-0001")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(other, json!([]));
}

#[tokio::test]
async fn people_are_counted_unless_that_is_off() {
    let mut mount = Mount::new();
    mount.swap(&off("analytics"));
    let bot = start(&[&mount.option()]).await;
    bot.until("bot_flags_epoch", 1.0).await;
    assert!(
        say(&bot, "!stats")
            .await
            .contains("Counting is taking a short break")
    );

    let bot = start(&[]).await;
    say(&bot, "Hello!").await;
    bot.until("bot_active_users{window=\"day\"}", 1.0).await;
    let answer = say(&bot, "!stats").await;
    assert!(
        answer.contains("within the last day 1, in 1 messages"),
        "{answer}"
    );
}

/// Somebody else holds the file for longer than a server may answer nobody.
#[tokio::test]
async fn commands_are_answered_and_no_promise_is_lost_while_the_file_is_locked() {
    const VISITORS: usize = 60;
    let dir = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
    let store = format!("--store={file}");
    let patient = "--deadline=2m"; // sixty writes to a disk that others use, too
    let bot = start(&[
        &store,
        patient,
        "--workers-important=64",
        "--api-per-minute=0",
    ])
    .await;
    bot.until("bot_store_up", 1.0).await;
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
    let begin = std::time::Instant::now();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let ask = |message: &str, session: String| {
        let url = format!("http://{}/chat", bot.address);
        let body = json!({ "message": message, "user": "Ann", "session": session });
        let request = bot.client.post(url).json(&body);
        async move {
            let reply: Value = request.send().await.unwrap().json().await.unwrap();
            reply["answer"].as_str().unwrap().to_owned()
        }
    };
    let session = |n: usize| format!("session-of-visitor-{n:04}");
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..VISITORS {
        let answer = ask("!remind 1h tea", session(n));
        asked.spawn(async move { (n, answer.await) });
    }
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(50));
    // a machine that stands still makes the lock longer than anybody waits
    let is_short = || begin.elapsed() < std::time::Duration::from_secs(4);
    let mut answers = Vec::new();
    let mut guests = VISITORS..; // each of them asks once, which nobody finds too often
    let mut early = 0;
    while begin.elapsed() < std::time::Duration::from_millis(2500) {
        pace.tick().await;
        assert_eq!(ask("!ping", session(guests.next().unwrap())).await, "Pong.");
        let up = bot.series("bot_store_up").await;
        assert!(up == Some(1.0) || !is_short(), "{up:?}");
        while let Some(answer) = asked.try_join_next() {
            let (n, answer) = answer.unwrap();
            assert!(!answer.starts_with("Gladly"), "{n}: it was not locked");
            answers.push((n, answer));
        }
        early += usize::from(answers.is_empty());
    }
    assert!(early > 1, "a command waits as long as the store");
    let was_short = is_short();
    other.execute("COMMIT").await.unwrap();
    let mut promised = 0;
    answers.extend(asked.join_all().await);
    for (n, answer) in answers {
        let list = ask("!reminders", session(n)).await;
        let kept = list.matches("tea").count();
        if answer.starts_with("Gladly") {
            promised += 1;
            assert_eq!(kept, 1, "{n}: {list}");
        } else {
            // a slow disk: its turn did not come in time
            assert!(answer.contains("My memory fails me"), "{n}: {answer}");
            assert!(kept <= 1, "{n}: {list}");
        }
    }
    assert!(promised > 0 || !was_short);
    bot.until("bot_store_up", 1.0).await;
}
