//! What is said of a database that cannot be opened, and what becomes of one that goes away.

use super::postgres::{PASSWORD, Postgres, opened};
use crate::store::*;

#[tokio::test]
async fn it_opens_in_memory_and_in_a_file_again_and_again() {
    assert!(Store::of("sqlite::memory:").await.unwrap().is_up());
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
    for expected in [None, Some("kept")] {
        let store = Store::of(&url).await.unwrap();
        assert_eq!(store.setting("", "x").await.unwrap().as_deref(), expected);
        store.set_setting("", "x", "kept").await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_write_and_never_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("not-a-db");
    std::fs::write(
        &file,
        "plain text, and long enough not to be taken for an empty file",
    )
    .unwrap();
    let (missing, no_db) = (
        format!(
            "sqlite:{}/no/such/dir/bot.db?mode=rwc",
            dir.path().display()
        ),
        format!("sqlite:{}?mode=rwc", file.display()),
    );
    for (url, part) in [
        ("chatbotler.db", "write --store=sqlite:FILE"),
        ("", "write --store=sqlite:FILE"),
        ("mysql://u:hunter2@h/d", "write --store=sqlite:FILE"),
        ("postgres://u:hunter2@:x/d", "write --store=sqlite:FILE"),
        (
            "postgres://u:hunter2@h/d?sslmode=nonsense",
            "write --store=sqlite:FILE",
        ),
        ("sqlite:x.db?mode=nonsense", "write --store=sqlite:FILE"),
        (&missing, "a folder that exists"),
        (&no_db, "cannot be opened or written to"),
    ] {
        let text = Store::of(url).await.unwrap_err().to_string();
        assert!(
            text.starts_with("--store: ") && text.contains(part),
            "{url}: {text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_error_and_nobody_waits_for_it() {
    // reserved and closed again: nobody listens there
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://u:hunter2@127.0.0.1:{port}/d");
    let store = Store::of(&url).await.unwrap();
    assert!(!store.is_up());
    // it was not even asked
    let error = store.setting("", "x").await.unwrap_err();
    assert!(matches!(error, StoreError::Down), "{error}");
    assert!(!format!("{store:?}").contains("hunter2"), "{store:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_at_once_and_a_restart_is_survived() {
    let mut server = Postgres::start();
    let url = server.database("bot").await;
    let wrong = url.replace(PASSWORD, "hunter2");
    let text = opened(&wrong).await.unwrap_err().to_string();
    assert!(
        text.contains("--store: PostgreSQL refuses") && !text.contains("hunter2"),
        "{text}"
    );

    let store = opened(&url).await.unwrap();
    store.set_setting("g", "x", "kept").await.unwrap();
    let keeper = tokio::spawn(store.clone().keep());
    server.kill();
    let error = store.setting("g", "x").await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    assert!(matches!(
        store.setting("g", "x").await.unwrap_err(),
        StoreError::Down
    ));
    server.start_again();
    tokio::time::timeout(Duration::from_secs(30), async {
        while !store.is_up() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(
        store.setting("g", "x").await.unwrap().as_deref(),
        Some("kept")
    );
    keeper.abort();
}
