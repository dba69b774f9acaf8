//! Calls on paused time: what comes of them, and what is counted.

mod admission;
mod cascade;
mod over_http;
mod server;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::time::{Instant, sleep};

use super::fault::FaultKind;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A dependency `api`, and what Prometheus sees of it.
struct Api {
    dependency: Dependency,
    registry: Registry,
}

impl Api {
    fn new(limits: Limits) -> Self {
        let mut registry = Registry::default();
        let metrics = OutboundMetrics::new(&mut registry, &["api"]);
        let dependency = Dependency::new("api", limits, &metrics);
        Self {
            dependency,
            registry,
        }
    }

    /// The value of a series of `bot_dependency_…`.
    fn metric(&self, name: &str, labels: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let series = format!("bot_dependency_{name}{{dependency=\"api\"{labels}}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .parse()
            .unwrap()
    }

    fn outcome(&self, outcome: &str) -> f64 {
        self.metric("calls_total", &format!(",outcome=\"{outcome}\""))
    }

    /// Calls with as many answers as given, each after a hundredth of a second.
    async fn call(&self, within: Duration, answers: &[Result<u8, Fault>]) -> Result<u8, CallError> {
        let answers = RefCell::new(answers.iter().cloned().collect::<VecDeque<_>>());
        self.dependency
            .call(Instant::now() + within, || async {
                sleep(SECOND / 100).await;
                let answer = answers.borrow_mut().pop_front();
                answer.expect("no more attempts than answers")
            })
            .await
    }
}

fn down() -> Result<u8, Fault> {
    Err(Fault::transient("down"))
}

fn limited(wait: Duration) -> Result<u8, Fault> {
    Err(Fault::limited("status 429").after(Some(wait)))
}

fn refused() -> Result<u8, Fault> {
    Err(Fault::refused("status 404"))
}

#[test]
fn every_series_is_there_at_the_start() {
    let api = Api::new(Limits::default());
    for outcome in [
        "ok",
        "transient",
        "limited",
        "refused",
        "open",
        "busy",
        "rate_limited",
        "unasked",
        "deadline",
        "cancelled",
    ] {
        assert_eq!(api.outcome(outcome).to_bits(), 0f64.to_bits(), "{outcome}");
    }
    for name in [
        "attempts_total",
        "retries_total",
        "duration_seconds_count",
        "in_flight",
        "breaker_state",
    ] {
        assert_eq!(api.metric(name, "").to_bits(), 0f64.to_bits(), "{name}");
    }
    assert!((api.metric("retry_budget", "") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_not_seen() {
    let api = Api::new(Limits::default());
    let begin = Instant::now();
    assert_eq!(api.call(SECOND, &[down(), Ok(7)]).await, Ok(7));
    let took = begin.elapsed();
    assert!(
        (SECOND / 10..SECOND / 4).contains(&took),
        "backs off: {took:?}"
    );
    assert!(api.outcome("ok") > 0.0);
    assert!((api.metric("attempts_total", "") - 2.0).abs() < 1e-9);
    assert!((api.metric("retries_total", "") - 1.0).abs() < 1e-9);
    assert!(api.metric("retry_budget", "") < 0.2);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_asked_again() {
    let api = Api::new(Limits::default());
    let Err(CallError::Fault(fault)) = api.call(SECOND, &[refused()]).await else {
        panic!("a fault")
    };
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(api.outcome("refused") > 0.0);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_asked_is_no_probe_and_is_not_tried_again() {
    let api = Api::new(Limits {
        retries: 0,
        ..Limits::default()
    });
    for _ in 0..10 {
        let _ = api.call(SECOND, &[down()]).await;
    }
    let open = 2.0;
    assert!((api.metric("breaker_state", "") - open).abs() < 1e-9);
    sleep(10 * SECOND).await;
    for _ in 0..5 {
        let unasked = [Err(Fault::unasked("all keys rest"))];
        let result = api.call(SECOND, &unasked).await;
        assert!(matches!(result, Err(CallError::Fault(_))), "{result:?}");
        let half_open = 1.0;
        assert!((api.metric("breaker_state", "") - half_open).abs() < 1e-9);
    }
    assert!((api.outcome("unasked") - 5.0).abs() < 1e-9);
    assert_eq!(api.outcome("ok").to_bits(), 0f64.to_bits());
}

#[tokio::test(start_paused = true)]
async fn no_retry_begins_that_the_deadline_would_not_see_the_end_of_its_wait() {
    let api = Api::new(Limits::default());
    let begin = Instant::now();
    let result = api.call(SECOND / 20, &[down()]).await;
    assert!(matches!(result, Err(CallError::Fault(_))), "{result:?}");
    assert_eq!(begin.elapsed(), SECOND / 100, "given up at once");
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_be_left_alone_that_fits_is_waited_for_by_all() {
    let api = Api::new(Limits::default());
    let begin = Instant::now();
    let first = [limited(3 * SECOND), Ok(1)];
    let second = [Ok(2)];
    let (first, second) = tokio::join!(api.call(9 * SECOND, &first), async {
        sleep(SECOND).await;
        let result = api.call(9 * SECOND, &second).await;
        assert!(begin.elapsed() >= 3 * SECOND, "the pause is everyone's");
        result
    });
    assert_eq!((first, second), (Ok(1), Ok(2)));
    let took = begin.elapsed();
    assert!((3 * SECOND..4 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_be_left_alone_that_does_not_fit_is_told_at_once() {
    let api = Api::new(Limits::default());
    let begin = Instant::now();
    let result = api.call(9 * SECOND, &[limited(30 * SECOND)]).await;
    let retry_in = 30 * SECOND;
    assert_eq!(result, Err(CallError::Limited { retry_in }));
    assert_eq!(begin.elapsed(), SECOND / 100);
    assert!(api.outcome("limited") > 0.0);
    let Err(CallError::Limited { retry_in }) = api.call(9 * SECOND, &[]).await else {
        panic!("the next is not let through either");
    };
    assert!((29 * SECOND..=33 * SECOND).contains(&retry_in));
    assert!(api.outcome("rate_limited") > 0.0);
    sleep(retry_in).await;
    assert_eq!(api.call(SECOND, &[Ok(1)]).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_left_alone_for_longer_than_is_sane() {
    let api = Api::new(Limits {
        longest_pause: 60 * SECOND,
        ..Limits::default()
    });
    let day = limited(Duration::MAX);
    let retry_in = 60 * SECOND;
    assert_eq!(
        api.call(SECOND, &[day]).await,
        Err(CallError::Limited { retry_in })
    );
    sleep(66 * SECOND).await;
    assert_eq!(api.call(SECOND, &[Ok(1)]).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_own_time_and_the_call_its_deadline() {
    let api = Api::new(Limits {
        timeout: SECOND,
        retries: 1,
        ..Limits::default()
    });
    let begin = Instant::now();
    let hang = || std::future::pending::<Result<u8, Fault>>();
    let result = api.dependency.call(begin + 9 * SECOND, hang).await;
    assert!(matches!(result, Err(CallError::Fault(_))), "{result:?}");
    assert!(begin.elapsed() < 3 * SECOND);
    let begin = Instant::now();
    let result = api.dependency.call(begin + SECOND / 2, hang).await;
    assert_eq!(result, Err(CallError::Deadline));
    assert_eq!(begin.elapsed(), SECOND / 2);
    assert!(api.outcome("deadline") > 0.0);
}
