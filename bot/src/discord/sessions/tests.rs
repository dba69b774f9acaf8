use futures::FutureExt as _;

use super::*;

const ME: &str = "7";

fn mark(session: &str, sequence: u64) -> Bookmark {
    Bookmark {
        bot: ME.to_owned(),
        session: session.to_owned(),
        resume_url: "ws://there".to_owned(),
        sequence,
    }
}

fn of(store: &Store, holder: &str) -> Sessions {
    Sessions::new(store.clone(), holder, 512)
}

#[tokio::test]
async fn the_next_process_goes_on_below_what_is_not_finished() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let first = of(&store, "first");
    assert!(first.restore(0, 1, ME).await.is_none());
    let progress = first.began(0, 1, mark("s", 1));
    let slow = progress.begin(4);
    drop(progress.begin(8));
    slow.leave();
    first.leave().await;
    let (found, progress) = of(&store, "second").restore(0, 1, ME).await.unwrap();
    assert_eq!((found, progress.finished()), (mark("s", 3), 3));
}

#[tokio::test]
async fn what_discord_has_forgotten_or_means_something_else_is_not_resumed() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let first = of(&store, "first");
    first.began(0, 1, mark("s", 1));
    first.leave().await;
    assert!(of(&store, "more").restore(0, 2, ME).await.is_none());
    let other_intents = Sessions::new(store.clone(), "other", 513);
    assert!(other_intents.restore(0, 1, ME).await.is_none());
    assert!(of(&store, "not me").restore(0, 1, "8").await.is_none());
    let stale = now_ms() - millis(STALE) - 1;
    store.hold_sessions("first", stale).await.unwrap();
    assert!(of(&store, "late").restore(0, 1, ME).await.is_none());
    first.lost(0);
    first.leave().await;
    assert!(of(&store, "next").restore(0, 1, ME).await.is_none());
}

#[tokio::test]
async fn without_a_database_there_is_a_new_session() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    store.pretend(false);
    let sessions = of(&store, "first");
    assert!(sessions.restore(0, 1, ME).await.is_none());
    sessions.began(0, 1, mark("s", 1));
    assert!(sessions.save(now_ms(), true).await.is_err());
    // it is written when the database is back
    store.pretend(true);
    sessions.leave().await;
    assert!(of(&store, "second").restore(0, 1, ME).await.is_some());
}

#[tokio::test]
async fn a_shard_that_is_begun_anew_goes_on_with_its_session_once_in_a_row() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let sessions = of(&store, "first");
    let progress = sessions.began(0, 1, mark("s", 1));
    sessions.leave().await;
    let slow = progress.begin(4);
    progress.hear(8);
    for _ in 0..2 {
        // its own lease is not waited for
        let again = sessions.restore(0, 1, ME).now_or_never().flatten();
        let (found, same) = again.unwrap();
        assert_eq!(found, mark("s", 3));
        same.hear(9);
        sessions.resumed(0);
    }
    drop(slow);
    assert_eq!(progress.finished(), 9, "it is the same one");
    assert!(sessions.restore(0, 1, ME).await.is_some());
    // it has ended again, and Discord has said nothing in between
    assert!(sessions.restore(0, 1, ME).await.is_none());
    sessions.leave().await;
    assert!(of(&store, "second").restore(0, 1, ME).await.is_none());
    sessions.began(0, 1, mark("t", 1));
    assert!(sessions.restore(0, 1, ME).await.is_some());
    sessions.lost(0);
    assert!(sessions.restore(0, 1, ME).await.is_none());
}
