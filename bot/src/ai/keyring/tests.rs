use std::time::Duration;

use prometheus_client::registry::Registry;

use super::*;
use crate::ai::{Bound, Window};
use crate::leaving::leave_at;

const HOUR: i64 = 3_600_000;

fn keyring(store: &Store, names: &[&str], hour: u64) -> (Arc<Keyring>, Registry) {
    let keys = names.iter().map(|name| Key {
        name: (*name).to_owned(),
        secret: None,
    });
    let quota = Quota {
        hour: Bound {
            requests: Some(hour),
            tokens: None,
        },
        month: Bound::default(),
        ..Quota::default()
    };
    let mut registry = Registry::default();
    let metrics = AiMetrics::new(&mut registry);
    let keyring = Keyring::new(keys.collect(), quota, store.clone(), metrics);
    (keyring, registry)
}

#[tokio::test]
async fn keys_are_used_in_order_and_the_primary_again_at_the_turn_of_the_hour() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let (keyring, _) = keyring(&store, &["first", "second"], 2);
    let mut now = now_ms() / HOUR * HOUR;
    for hour in 0..3 {
        for expected in [0, 0, 1, 1] {
            let reservation = keyring.reserve(0, 1, now + 5).await.unwrap();
            assert_eq!(reservation.key, expected, "hour {hour}");
        }
        let Err(NoKey::Resting { until, spent }) = keyring.reserve(0, 1, now + 5).await else {
            panic!("there are no more");
        };
        assert_eq!((until, spent), (now + HOUR, true));
        now += HOUR;
    }
}

#[tokio::test]
async fn the_count_outlives_the_process_and_shows_from_the_first_look_on() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let now = now_ms();
    let (before, _) = keyring(&store, &["only"], 3);
    for _ in 0..2 {
        before.reserve(0, 1, now).await.unwrap();
    }
    drop(before);
    let (after, registry) = keyring(&store, &["only"], 3);
    after.refresh(now).await.unwrap();
    let text = crate::metrics::render(&registry).unwrap();
    for line in [
        r#"bot_quota_used{key="only",window="hour"} 2.0"#,
        r#"bot_quota_limit{key="only",window="hour"} 3.0"#,
        r#"bot_quota_remaining{window="hour"} 1.0"#,
        r#"bot_quota_remaining{window="month"} 1000000000000.0"#,
        r#"bot_key_state{key="only",state="ready"} 1"#,
        r#"bot_key_state{key="only",state="spent"} 0"#,
        "bot_ai_requests_started_total 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    after.reserve(0, 1, now).await.unwrap();
    assert!(after.reserve(0, 1, now).await.is_err());
    let text = crate::metrics::render(&registry).unwrap();
    assert!(
        text.contains("bot_quota_exhausted_in_seconds{window=\"hour\"} 0.0"),
        "{text}"
    );
}

/// One key with so many tokens an hour.
async fn keyring_of_tokens(tokens: u64) -> (Arc<Keyring>, Registry) {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let mut registry = Registry::default();
    let metrics = AiMetrics::new(&mut registry);
    let keys = vec![Key {
        name: "only".to_owned(),
        secret: None,
    }];
    let quota = Quota {
        hour: Bound {
            requests: None,
            tokens: Some(tokens),
        },
        ..Quota::default()
    };
    (Keyring::new(keys, quota, store, metrics), registry)
}

#[tokio::test]
async fn tokens_that_suffice_for_nothing_are_gone_until_the_hour_turns() {
    let (keyring, registry) = keyring_of_tokens(2500).await;
    let shows = |line: &str| {
        let text = crate::metrics::render(&registry).unwrap();
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    };
    let now = now_ms() / HOUR * HOUR;
    // too large at any time, so it says nothing about what is left
    assert!(keyring.reserve(0, 2501, now).await.is_err());
    shows("bot_token_quota_remaining{window=\"hour\"} 2500.0");
    for _ in 0..3 {
        keyring.reserve(0, 700, now).await.unwrap();
    }
    assert!(keyring.reserve(0, 700, now).await.is_err());
    // nobody asks for a while, so the pace is 0; what is left is still of no use
    for minutes in [0, 6, 12] {
        keyring.refresh(now + minutes * 60_000).await.unwrap();
        shows("bot_token_quota_remaining{window=\"hour\"} 0.0");
        shows("bot_quota_exhausted_in_seconds{window=\"hour\"} 0.0");
    }
    keyring.refresh(now + HOUR).await.unwrap();
    shows("bot_token_quota_remaining{window=\"hour\"} 2500.0");
    shows("bot_quota_exhausted_in_seconds{window=\"hour\"} 2678400.0");
}

#[tokio::test]
async fn a_request_that_is_too_dear_does_not_put_the_key_to_rest() {
    let (keyring, _) = keyring_of_tokens(1000).await;
    let now = now_ms();
    let Err(NoKey::Resting { until, spent }) = keyring.reserve(0, 1001, now).await else {
        panic!("it does not fit");
    };
    assert_eq!(
        (until, spent),
        (Window::Hour.end(now, Hour::default()), true)
    );
    let first = keyring.reserve(0, 900, now).await.unwrap();
    assert!(keyring.reserve(0, 200, now).await.is_err());
    let tokens = Tokens {
        prompt: 10,
        completion: 5,
    };
    keyring
        .settle(&first, tokens, Verdict::Served)
        .await
        .unwrap();
    assert!(keyring.reserve(0, 200, now).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_away_before_a_request_is_sent_has_it_given_back() {
    let store = Store::of("sqlite::memory:").await.unwrap();
    let (keyring, _) = keyring(&store, &["only"], 1000);
    let now = now_ms();
    let mut left = 0;
    for n in 0..60 {
        match leave_at(n % 12, keyring.reserve(0, 7, now)).await {
            // nor does whoever could not send it wait for the end of that
            Some(reserved) => drop(keyring.release(&reserved.unwrap())),
            None => left += 1,
        }
    }
    assert!(left > 0, "nobody ever went away");
    let given_back = async {
        let (started, unsent) = (&keyring.metrics.started, &keyring.metrics.unsent);
        while started.get() != unsent.get()
            || store.usage("only", Hour::default(), now).await.unwrap() != Usage::default()
        {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), given_back);
    in_time.await.expect("all of it is given back");
}
