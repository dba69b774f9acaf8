//! What the model's part remembers, with two processes on one database.

use futures::future::join_all;

use super::super::*;
use crate::ai::{Bound, Hour, Quota, Turn, Window};

const NOW: i64 = 1_795_253_400_000;

pub(super) async fn usage(one: Store, two: Store) {
    let bound = |requests, tokens| Bound {
        requests: Some(requests),
        tokens: Some(tokens),
    };
    let quota = Quota {
        hour: bound(25, 10_000),
        month: bound(40, 1_000_000),
        ..Quota::default()
    };
    let mut now = NOW;
    for expected in [25, 15, 0] {
        let asks = (0..60).map(|n| {
            let store = if n % 2 == 0 { &one } else { &two };
            store.reserve_usage("a", &quota, 10, now)
        });
        let mut granted = 0;
        for answer in join_all(asks).await {
            match answer.unwrap() {
                Ok(()) => granted += 1,
                Err(full) => assert!(full.spent, "{full:?}"),
            }
        }
        assert_eq!(granted, expected);
        let (a, b) = (
            one.usage("a", Hour::default(), now).await,
            two.usage("a", Hour::default(), now).await,
        );
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!((a, a.hour.requests), (b, expected));
        assert_eq!(a.hour.tokens, 10 * expected);
        now += 3_600_000;
    }
    let dear = one.reserve_usage("b", &quota, 10_001, NOW).await.unwrap();
    let too_dear = Full {
        window: Window::Hour,
        spent: false,
    };
    assert_eq!(dear, Err(too_dear));
    one.reserve_usage("b", &quota, 9000, NOW)
        .await
        .unwrap()
        .unwrap();
    two.settle_usage("b", Hour::default(), NOW, 9000, 7)
        .await
        .unwrap();
    assert_eq!(
        one.usage("b", Hour::default(), NOW)
            .await
            .unwrap()
            .month
            .tokens,
        7
    );
    one.reserve_usage("b", &quota, 5, NOW)
        .await
        .unwrap()
        .unwrap();
    two.release_usage("b", Hour::default(), NOW, 5)
        .await
        .unwrap();
    let usage = one.usage("b", Hour::default(), NOW).await.unwrap();
    assert_eq!((usage.hour.requests, usage.month.tokens), (1, 7));
    two.prune_usage(NOW + 100 * 24 * 3_600_000).await.unwrap();
    assert_eq!(
        one.usage("b", Hour::default(), NOW)
            .await
            .unwrap()
            .month
            .requests,
        0
    );
}

pub(super) async fn history(one: Store, two: Store) {
    let kept = Kept {
        messages: 2,
        age_ms: 1000,
    };
    let turn = |from: Option<&str>, text: &str| Turn {
        from: from.map(str::to_owned),
        text: text.to_owned(),
    };
    for (at, id) in [(1, "a"), (2, "b"), (3, "c"), (3, "c")] {
        let (said, answer) = (turn(Some("Ann"), id), turn(None, "😀 yes"));
        one.remember("here", id, [&said, &answer], kept, at)
            .await
            .unwrap();
    }
    let texts = two.history("here", kept, 3).await.unwrap();
    let texts: Vec<&str> = texts.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["b", "😀 yes", "c", "😀 yes"]);
    assert!(two.history("here", kept, 5000).await.unwrap().is_empty());
}

pub(super) async fn answers(one: Store, two: Store) {
    one.keep_answer("What is tea?", "old", 1, 0).await.unwrap();
    two.keep_answer("what is tea?", "new", 2, 0).await.unwrap();
    let kept = one.kept_answer("WHAT is tea?", 2).await.unwrap();
    assert_eq!(kept.as_deref(), Some("new"));
    two.keep_answer("other", "x", 9, 5).await.unwrap();
    assert_eq!(one.kept_answer("what is tea?", 0).await.unwrap(), None);
}
