//! `chatbotler invite`, as it is typed.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::process::{Command, Output};

use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

fn invite(options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatbotler"));
    command.arg("invite").args(options).output().unwrap()
}

/// What it prints where all is well.
fn told(options: &[&str]) -> String {
    let output = invite(options);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says where it cannot.
fn why_not(options: &[&str]) -> String {
    let output = invite(options);
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_link_asks_for_what_is_switched_on_and_says_why() {
    let said = told(&["--discord-application-id=42"]);
    // VIEW_CHANNEL, SEND_MESSAGES, READ_MESSAGE_HISTORY
    let least: u64 = (1 << 10) | (1 << 11) | (1 << 16);
    let link = |permissions: u64| {
        format!(
            "https://discord.com/oauth2/authorize?client_id=42&scope=bot+applications.commands&permissions={permissions}\n"
        )
    };
    assert!(said.contains(&link(least)), "{said}");
    assert!(said.contains("intents: GUILD_MESSAGES\n"), "{said}");
    let (on, off) = said.split_once("Switched off").unwrap();
    for option in [
        "--discord-message-content",
        "--discord-threads",
        "--discord-reactions",
        "--discord-roles",
    ] {
        assert!(!on.contains(option) && off.contains(option), "{said}");
    }

    let said = told(&[
        "--discord-application-id=42",
        "--discord-message-content",
        "--discord-threads",
        "--discord-reactions",
        "--discord-roles",
        // of no use here, but whoever runs the bot has them
        "--discord-moderator-roles=7,8",
        "--discord-guild=9",
    ]);
    // CREATE_PUBLIC_THREADS, SEND_MESSAGES_IN_THREADS, ADD_REACTIONS, MANAGE_ROLES
    let all = least | (1 << 35) | (1 << 38) | (1 << 6) | (1 << 28);
    assert!(said.contains(&link(all)), "{said}");
    assert!(said.contains("MESSAGE_CONTENT is privileged"), "{said}");
    assert!(!said.contains("Switched off"), "{said}");
}

#[test]
fn without_an_application_it_says_what_to_give() {
    let said = why_not(&["--discord-threads"]);
    for option in ["--discord-application-id", "--discord-token-file"] {
        assert!(said.contains(option), "{said}");
    }
    let said = why_not(&["--discord-application-id=mine"]);
    assert!(said.contains("--discord-application-id"), "{said}");
    assert!(why_not(&["--discord-token-file=/nowhere"]).contains("/nowhere"));
}

#[tokio::test]
async fn with_the_token_discord_is_asked() {
    let application = |headers: HeaderMap| async move {
        if headers["authorization"] == "Bot a.good.token" {
            Json(json!({"id": "4242", "name": "ChatBotler"})).into_response()
        } else {
            StatusCode::UNAUTHORIZED.into_response()
        }
    };
    let router = Router::new().route("/api/v10/applications/@me", get(application));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "--discord-api-url=http://{}/api/v10",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::task::spawn_blocking(move || {
        let said = told(&[&url, "--discord-token=a.good.token"]);
        assert!(said.contains("client_id=4242&"), "{said}");
        let said = why_not(&[&url, "--discord-token=a.wrong.token"]);
        assert!(said.contains("Discord refuses the token"), "{said}");
        assert!(!said.contains("a.wrong.token"), "{said}");
    })
    .await
    .unwrap();
}

#[test]
fn the_help_teaches() {
    let said = told(&["--help"]);
    for words in [
        "lets the bot into a server",
        "chatbotler invite --discord-application-id 1234567890",
        "--discord-threads",
    ] {
        assert!(said.contains(words), "{said}");
    }
}
