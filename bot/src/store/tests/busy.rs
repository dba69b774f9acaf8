//! A database that is busy is not one that is gone.

use std::collections::BTreeSet;

use sqlx::{Connection, SqliteConnection};

use crate::store::*;

/// Longer than a server may answer nobody.
const LOCKED: Duration = Duration::from_secs(3);
const WRITES: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_behind_a_lock_is_written_and_the_store_is_never_down() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
    let store = Store::of(&url).await.unwrap();
    let keeper = tokio::spawn(store.clone().keep());
    // another process at the same file, such as a backup or a disk that takes its time
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..WRITES {
        let store = store.clone();
        writes.spawn(async move {
            let name = format!("n{n:03}");
            store.set_setting("g", &name, "kept").await.map(|()| name)
        });
    }
    let begin = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while begin.elapsed() < LOCKED {
        looks.tick().await;
        assert!(store.is_up(), "down after {:?}", begin.elapsed());
    }
    other.execute("COMMIT").await.unwrap();
    let mut written = BTreeSet::new();
    while let Some(write) = writes.join_next().await {
        assert!(store.is_up());
        match write.unwrap() {
            Ok(name) => drop(written.insert(name)),
            // a slow disk: not every turn came in time, and whoever had none was told
            Err(error) => assert!(matches!(error, StoreError::Busy), "{error}"),
        }
    }
    assert!(!written.is_empty());
    for name in &written {
        let kept = store.setting("g", name).await.unwrap();
        assert_eq!(kept.as_deref(), Some("kept"), "{name}");
    }
    keeper.abort();
}
