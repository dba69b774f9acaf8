//! What the door to Discord leaves behind for the next process, with two processes on one database.

use super::super::jobs::Claim;
use super::super::sessions::{Bookmark, Part};
use super::super::*;

const PART: Part = Part {
    shard: 0,
    shards: 2,
    intents: 512,
};

fn mark(session: &str, sequence: u64) -> Bookmark {
    Bookmark {
        bot: "7".to_owned(),
        session: session.to_owned(),
        resume_url: "ws://there".to_owned(),
        sequence,
    }
}

pub(super) async fn sessions(one: Store, two: Store) {
    one.keep_session("a", PART, &mark("s", 1), 100)
        .await
        .unwrap();
    one.keep_session("a", PART, &mark("s", 9), 200)
        .await
        .unwrap();
    let other = Part { shard: 1, ..PART };
    one.keep_session("a", other, &mark("t", 3), 200)
        .await
        .unwrap();
    let kept = two.kept_sessions(PART, 0).await.unwrap();
    assert_eq!((kept.len(), &kept[0].mark), (1, &mark("s", 9)));
    for elsewhere in [
        Part { shards: 3, ..PART },
        Part {
            intents: 513,
            ..PART
        },
    ] {
        assert!(two.kept_sessions(elsewhere, 0).await.unwrap().is_empty());
    }
    assert!(two.kept_sessions(PART, 200).await.unwrap().is_empty());
    // nobody takes it from the living, and one of two from the dead
    assert!(!two.take_session("a", 0, "b", 199, 500).await.unwrap());
    one.hold_sessions("a", 300).await.unwrap();
    assert!(!two.take_session("a", 0, "b", 299, 500).await.unwrap());
    let (first, second) = tokio::join!(
        one.take_session("a", 0, "b", 300, 500),
        two.take_session("a", 0, "c", 300, 500)
    );
    assert!(first.unwrap() ^ second.unwrap());
    let kept = two.kept_sessions(PART, 0).await.unwrap();
    assert_eq!(kept[0].mark, mark("s", 9));
    // one that Discord refused is nobody's any more
    let holder = kept[0].holder.clone();
    one.keep_session(&holder, PART, &mark("", 0), 500)
        .await
        .unwrap();
    assert!(two.kept_sessions(PART, 0).await.unwrap().is_empty());
    one.forget_sessions(400).await.unwrap();
    assert!(two.kept_sessions(other, 0).await.unwrap().is_empty());
}

pub(super) async fn claims(one: Store, two: Store) {
    let first = Claim::Mine {
        attempt: 1,
        begun_at: 10,
    };
    one.keep_session("a", PART, &mark("s", 1), 100)
        .await
        .unwrap();
    assert_eq!(one.claim_job("m", "a", 10).await.unwrap(), first);
    assert_eq!(two.claim_job("m", "b", 99).await.unwrap(), Claim::Held);
    // its holder is gone
    let again = Claim::Mine {
        attempt: 2,
        begun_at: 10,
    };
    assert_eq!(two.claim_job("m", "b", 100).await.unwrap(), again);
    two.finish_job("m", "").await.unwrap();
    assert_eq!(one.claim_job("m", "a", 101).await.unwrap(), Claim::Done);
    assert_eq!(two.claim_job("m", "c", 101).await.unwrap(), Claim::Done);
    // of two living ones that hear the same, one does it
    one.keep_session("b", PART, &mark("s", 1), 1000)
        .await
        .unwrap();
    one.hold_sessions("a", 1000).await.unwrap();
    let (left, right) = tokio::join!(one.claim_job("n", "a", 200), two.claim_job("n", "b", 200));
    let claims = [left.unwrap(), right.unwrap()];
    assert!(claims.contains(&Claim::Held), "{claims:?}");
    one.forget_jobs(11).await.unwrap();
    let anew = Claim::Mine {
        attempt: 1,
        begun_at: 300,
    };
    assert_eq!(one.claim_job("m", "a", 300).await.unwrap(), anew);
}

pub(super) async fn threads(one: Store, two: Store) {
    one.set_thread("c", "ann", "t1", 10).await.unwrap();
    two.set_thread("c", "ann", "t2", 20).await.unwrap();
    one.set_thread("d", "ann", "t3", 10).await.unwrap();
    let thread = |channel: &'static str, person: &'static str| {
        let two = two.clone();
        async move { two.thread(channel, person).await.unwrap() }
    };
    assert_eq!(thread("c", "ann").await.as_deref(), Some("t2"));
    assert_eq!(thread("c", "bob").await, None);
    one.forget_threads(20).await.unwrap();
    assert_eq!(thread("d", "ann").await, None);
    one.unset_thread("c", "ann").await.unwrap();
    assert_eq!(thread("c", "ann").await, None);
}
