use std::num::{NonZeroU32, NonZeroUsize};

use super::*;

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn limits() -> BreakerLimits {
    BreakerLimits {
        window: NonZeroUsize::new(8).unwrap(),
        window_age: 20 * SECOND,
        minimum: NonZeroUsize::new(4).unwrap(),
        failure_rate: 0.5,
        slow_after: 2 * SECOND,
        slow_rate: 0.75,
        open_for: 5 * SECOND,
        open_longest: 30 * SECOND,
        probes: NonZeroU32::new(2).unwrap(),
    }
}

/// A breaker that has just opened.
fn open(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(limits());
    for _ in 0..4 {
        let pass = breaker.admit(now).unwrap();
        breaker.record(pass, Verdict::Failed, SECOND, now, 0.0);
    }
    assert_eq!(breaker.phase(), Phase::Open);
    breaker
}

#[test]
fn one_probe_goes_and_one_that_is_given_up_makes_room_for_the_next() {
    let now = Instant::now();
    let mut breaker = open(now);
    assert_eq!(breaker.admit(now + 4 * SECOND), Err(SECOND));
    let now = now + 5 * SECOND;
    let probe = breaker.admit(now).unwrap();
    assert_eq!(breaker.phase(), Phase::HalfOpen);
    assert!(breaker.admit(now).is_err());
    breaker.record(probe, Verdict::Unknown, SECOND, now, 0.0);
    assert_eq!(breaker.phase(), Phase::HalfOpen);
    assert!(breaker.admit(now).is_ok());
}

#[test]
fn a_probe_that_is_given_up_because_it_was_slow_is_a_bad_one() {
    let now = Instant::now();
    let mut breaker = open(now);
    let probe = breaker.admit(now + 5 * SECOND).unwrap();
    breaker.record(probe, Verdict::Unknown, 2 * SECOND, now + 7 * SECOND, 0.0);
    assert_eq!(breaker.refuses(now + 7 * SECOND), Some(10 * SECOND));
}

#[test]
fn a_probe_that_never_asked_neither_closes_nor_opens_it() {
    let now = Instant::now();
    let mut breaker = open(now);
    let mut now = now + 5 * SECOND;
    for _ in 0..9 {
        let probe = breaker.admit(now).unwrap();
        now += 9 * SECOND;
        breaker.record(probe, Verdict::Unasked, 9 * SECOND, now, 0.0);
        assert_eq!(breaker.phase(), Phase::HalfOpen);
    }
    for _ in 0..2 {
        let probe = breaker.admit(now).unwrap();
        breaker.record(probe, Verdict::Healthy, SECOND, now, 0.0);
    }
    assert_eq!(breaker.phase(), Phase::Closed);
}

#[test]
fn what_was_begun_before_says_nothing_about_after() {
    let now = Instant::now();
    let mut breaker = Breaker::new(limits());
    let late: Vec<Pass> = (0..8).map(|_| breaker.admit(now).unwrap()).collect();
    for _ in 0..4 {
        let pass = breaker.admit(now).unwrap();
        breaker.record(pass, Verdict::Failed, SECOND, now, 0.0);
    }
    let now = now + 5 * SECOND;
    let probe = breaker.admit(now).unwrap();
    for (pass, verdict) in late
        .into_iter()
        .zip([Verdict::Failed, Verdict::Healthy].into_iter().cycle())
    {
        breaker.record(pass, verdict, 5 * SECOND, now, 0.0);
        assert_eq!(breaker.phase(), Phase::HalfOpen);
        assert!(breaker.admit(now).is_err(), "the probe is still under way");
    }
    breaker.record(probe, Verdict::Healthy, SECOND, now, 0.0);
    let probe = breaker.admit(now).unwrap();
    breaker.record(probe, Verdict::Healthy, SECOND, now, 0.0);
    assert_eq!(breaker.phase(), Phase::Closed);
}

#[test]
fn each_bad_probe_doubles_the_wait_up_to_the_longest() {
    let mut now = Instant::now();
    let mut breaker = open(now);
    for expected in [5, 10, 20, 30, 30] {
        assert_eq!(breaker.refuses(now), Some(expected * SECOND));
        now += expected * SECOND;
        let probe = breaker.admit(now).unwrap();
        breaker.record(probe, Verdict::Failed, SECOND, now, 0.0);
    }
}

#[test]
fn slow_answers_open_it_and_limits_do_not() {
    let now = Instant::now();
    let mut breaker = Breaker::new(limits());
    for _ in 0..50 {
        let pass = breaker.admit(now).unwrap();
        breaker.record(pass, Verdict::Unknown, SECOND, now, 0.0);
    }
    for _ in 0..3 {
        let pass = breaker.admit(now).unwrap();
        breaker.record(pass, Verdict::Healthy, 2 * SECOND, now, 0.0);
        assert_eq!(breaker.phase(), Phase::Closed);
    }
    let pass = breaker.admit(now).unwrap();
    breaker.record(pass, Verdict::Healthy, 2 * SECOND, now, 0.0);
    assert_eq!(breaker.phase(), Phase::Open);
}
