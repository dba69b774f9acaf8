//! Who is let through: the bulkhead, the rate limit, the breaker.

use std::num::{NonZeroU32, NonZeroUsize};

use futures::future::join_all;
use tokio::time::timeout;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_full_house_keeps_nobody_waiting_for_long() {
    let api = Api::new(Limits {
        concurrency: NonZeroUsize::MIN,
        ..Limits::default()
    });
    let begin = Instant::now();
    let deadline = begin + 9 * SECOND;
    let hang = || async {
        sleep(5 * SECOND).await;
        Ok(1)
    };
    let (first, second) = tokio::join!(api.dependency.call(deadline, hang), async {
        let result = api.dependency.call(deadline, hang).await;
        assert_eq!(begin.elapsed(), SECOND);
        assert!((api.metric("in_flight", "") - 1.0).abs() < 1e-9);
        result
    });
    assert_eq!((first, second), (Ok(1), Err(CallError::Busy)));
    assert!(api.outcome("busy") > 0.0);
    assert!(api.metric("in_flight", "").abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_would_come_too_late_is_refused_at_once() {
    let per_minute = NonZeroU32::new(60).unwrap();
    let burst = NonZeroU32::new(2).unwrap();
    let api = Api::new(Limits {
        rate: Some(RateLimit { per_minute, burst }),
        ..Limits::default()
    });
    let begin = Instant::now();
    let calls = (0..9).map(|_| async {
        let result = api.call(3 * SECOND + SECOND / 2, &[Ok(1)]).await;
        (result, begin.elapsed())
    });
    let results = join_all(calls).await;
    let answered = results.iter().filter(|(result, _)| result.is_ok()).count();
    assert_eq!(answered, 5, "two at once, then one a second: {results:?}");
    for (result, took) in results.iter().filter(|(result, _)| result.is_err()) {
        assert!(matches!(result, Err(CallError::Limited { retry_in }) if *retry_in == 4 * SECOND));
        assert_eq!(*took, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_is_counted_and_leaves_room() {
    let api = Api::new(Limits {
        concurrency: NonZeroUsize::MIN,
        ..Limits::default()
    });
    let hang = || std::future::pending::<Result<u8, Fault>>();
    let call = api.dependency.call(Instant::now() + 9 * SECOND, hang);
    assert!(timeout(SECOND, call).await.is_err());
    assert!(api.outcome("cancelled") > 0.0);
    assert!(api.metric("in_flight", "").abs() < 1e-9);
    assert!(api.metric("duration_seconds_count", "") > 0.0);
    assert_eq!(api.call(SECOND, &[Ok(1)]).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn open_it_refuses_at_once_and_one_probe_after_the_other_closes_it() {
    let api = Api::new(Limits {
        retries: 0,
        ..Limits::default()
    });
    for _ in 0..10 {
        let _ = api.call(SECOND, &[down()]).await;
    }
    assert!((api.metric("breaker_state", "") - 2.0).abs() < 1e-9);
    let Err(CallError::Open { retry_in }) = api.call(SECOND, &[]).await else {
        panic!("open");
    };
    assert!(api.outcome("open") > 0.0);
    sleep(retry_in).await;
    // the probe's caller goes away; whoever comes next makes another
    let hang = || std::future::pending::<Result<u8, Fault>>();
    let call = api.dependency.call(Instant::now() + 9 * SECOND, hang);
    let probe = timeout(SECOND, call);
    let (probe, refused) = tokio::join!(probe, async {
        sleep(SECOND / 2).await;
        assert!((api.metric("breaker_state", "") - 1.0).abs() < 1e-9);
        api.call(SECOND, &[]).await
    });
    assert!(probe.is_err());
    assert!(matches!(refused, Err(CallError::Open { .. })));
    for _ in 0..2 {
        assert_eq!(api.call(SECOND, &[Ok(1)]).await, Ok(1));
    }
    assert!(api.metric("breaker_state", "").abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_opens_it_is_not_tried_again() {
    let mut limits = Limits::default();
    limits.breaker.minimum = NonZeroUsize::MIN;
    let api = Api::new(limits);
    let begin = Instant::now();
    assert!(api.call(SECOND, &[down()]).await.is_err());
    assert_eq!(begin.elapsed(), SECOND / 100);
    assert!(api.metric("retry_budget", "") > 1.0, "nothing is spent");
}

#[tokio::test(start_paused = true)]
async fn refusals_and_limits_say_nothing_against_its_health() {
    let api = Api::new(Limits {
        retries: 0,
        ..Limits::default()
    });
    for _ in 0..50 {
        let _ = api.call(SECOND, &[refused()]).await;
        let _ = api.call(SECOND, &[limited(Duration::ZERO)]).await;
    }
    assert!(api.metric("breaker_state", "").abs() < 1e-9);
    assert!((api.metric("attempts_total", "") - 100.0).abs() < 1e-9);

    let mut wait = SECOND;
    for _ in 0..110 {
        if let Err(CallError::Open { retry_in }) = api.call(SECOND, &[down()]).await {
            wait = retry_in;
            break;
        }
    }
    assert!(wait > SECOND, "failures are what opens it");
    sleep(wait).await;
    for _ in 0..2 {
        let _ = api.call(SECOND, &[refused()]).await;
    }
    let closed = api.metric("breaker_state", "").abs() < 1e-9;
    assert!(closed, "who refuses a probe has answered it");
}
