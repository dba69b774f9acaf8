use super::*;
use crate::ai::Bound;

const NOW: i64 = 1_795_253_400_000;

const fn full(window: Window, spent: bool) -> Result<(), Full> {
    Err(Full { window, spent })
}
const SPENT_HOUR: Result<(), Full> = full(Window::Hour, true);
const SPENT_MONTH: Result<(), Full> = full(Window::Month, true);
const TOO_LITTLE: Result<(), Full> = full(Window::Hour, false);

fn quota(hour: u64, month: u64, tokens: u64) -> Quota {
    Quota {
        hour: Bound {
            requests: Some(hour),
            tokens: Some(tokens),
        },
        month: Bound {
            requests: Some(month),
            tokens: None,
        },
        ..Quota::default()
    }
}

#[tokio::test]
async fn no_more_is_reserved_than_the_quota_holds() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let quota = quota(2, 3, 1000);
    let mut now = NOW;
    for expected in [Ok(()), Ok(()), SPENT_HOUR] {
        assert_eq!(
            store.reserve_usage("a", &quota, 10, now).await.unwrap(),
            expected
        );
    }
    // another key has a quota of its own, and another hour is another window
    assert_eq!(
        store.reserve_usage("b", &quota, 10, now).await.unwrap(),
        Ok(())
    );
    now += 3_600_000;
    for expected in [Ok(()), SPENT_MONTH] {
        assert_eq!(
            store.reserve_usage("a", &quota, 10, now).await.unwrap(),
            expected
        );
    }
    // what was not granted is not counted, in neither window
    let usage = store.usage("a", Hour::default(), now).await.unwrap();
    assert_eq!((usage.hour.requests, usage.month.requests), (1, 3));
    now += 40 * 24 * 3_600_000;
    assert_eq!(
        store.reserve_usage("a", &quota, 10, now).await.unwrap(),
        Ok(())
    );
    store.prune_usage(now + KEPT_MS + 1).await.unwrap();
    assert_eq!(
        store.usage("a", Hour::default(), now).await.unwrap(),
        Usage::default()
    );
}

#[tokio::test]
async fn tokens_are_reserved_and_then_settled() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let quota = quota(99, 99, 1000);
    let reserve = async |tokens| store.reserve_usage("a", &quota, tokens, NOW).await.unwrap();
    assert_eq!(reserve(1001).await, TOO_LITTLE);
    assert_eq!(reserve(700).await, Ok(()));
    assert_eq!(reserve(301).await, TOO_LITTLE);
    store
        .settle_usage("a", Hour::default(), NOW, 700, 120)
        .await
        .unwrap();
    assert_eq!(reserve(301).await, Ok(()));
    let usage = store.usage("a", Hour::default(), NOW).await.unwrap();
    assert_eq!((usage.hour.tokens, usage.month.requests), (421, 2));
}

#[tokio::test]
async fn what_was_not_sent_is_given_back() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let quota = quota(1, 99, 1000);
    let hour = Hour::default();
    let reserve = async |at| store.reserve_usage("a", &quota, 10, at).await.unwrap();
    assert_eq!(reserve(NOW).await, Ok(()));
    assert_eq!(reserve(NOW).await, SPENT_HOUR);
    // by then the hour may have turned; it goes back to its own
    let later = NOW + 3_600_000;
    assert_eq!(reserve(later).await, Ok(()));
    store.release_usage("a", hour, NOW, 10).await.unwrap();
    assert_eq!(
        store.usage("a", hour, NOW).await.unwrap().hour,
        Used::default()
    );
    let usage = store.usage("a", hour, later).await.unwrap();
    assert_eq!((usage.hour.requests, usage.month.requests), (1, 1));
    assert_eq!((usage.hour.tokens, usage.month.tokens), (10, 10));
    assert_eq!(reserve(NOW).await, Ok(()));
    // an answer is never taken back, and nothing falls below 0
    store.settle_usage("a", hour, NOW, 10, 3).await.unwrap();
    for _ in 0..3 {
        store.release_usage("a", hour, NOW, 10).await.unwrap();
    }
    let usage = store.usage("a", hour, NOW).await.unwrap();
    assert_eq!((usage.hour.requests, usage.hour.tokens), (1, 3));
}

#[tokio::test]
async fn many_at_once_and_after_a_restart_share_one_count() {
    // so many writers of one file are not to wait for a busy disk
    let memory = tempfile::tempdir_in("/dev/shm");
    let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
    let url = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
    let quota = quota(25, 99, 1_000_000);
    let mut granted = 0;
    for _ in 0..2 {
        let (one, other) = (
            Store::of(&url).await.unwrap(),
            Store::of(&url).await.unwrap(),
        );
        let asks = (0..40).map(|n| {
            let store = if n % 2 == 0 { &one } else { &other };
            store.reserve_usage("a", &quota, 1, NOW)
        });
        let answers = futures::future::join_all(asks).await;
        granted += answers
            .into_iter()
            .filter(|a| *a.as_ref().unwrap() == Ok(()))
            .count();
        assert_eq!(
            one.usage("a", Hour::default(), NOW)
                .await
                .unwrap()
                .hour
                .requests,
            25
        );
    }
    assert_eq!(granted, 25);
}
