//! When a quota will be gone at the present rate.
//!
//! The rate is that of the last five minutes (a twelfth of the hour that quotas go by), over all replicas, since it is taken from the store's count. A bot
//! that has just started divides by a minute at least, so that its first message is no alarm.

use std::collections::VecDeque;

use super::quota::Hour;

/// What "it holds" is as a number: 31 days, longer than any window, and finite, since for a policy an infinite
/// reading is none.
pub(crate) const HOLDS: f64 = 31.0 * 86_400.0;

/// How fast something is used up, from samples of a count.
#[derive(Debug)]
pub(crate) struct Pace {
    samples: VecDeque<(i64, u64)>,
    /// How far back the rate looks.
    back_ms: i64,
    least_ms: i64,
}

impl Pace {
    /// Over a twelfth of the hour, and no less than a sixtieth.
    pub(crate) fn of(hour: Hour) -> Self {
        Self {
            samples: VecDeque::new(),
            back_ms: hour.ms() / 12,
            least_ms: hour.ms() / 60,
        }
    }

    /// Takes a sample. A count that has fallen below the first sample has begun anew, as with a month; one that
    /// falls a little (tokens that were reserved and not needed) goes on.
    pub(crate) fn note(&mut self, now: i64, count: u64) {
        if self
            .samples
            .front()
            .is_some_and(|&(_, first)| count < first)
        {
            self.samples.clear();
        }
        self.samples.push_back((now, count));
        // the last sample before the span is kept: the span is measured from it
        while self
            .samples
            .get(1)
            .is_some_and(|&(at, _)| at <= now - self.back_ms)
        {
            self.samples.pop_front();
        }
    }

    /// Per second.
    #[allow(clippy::cast_precision_loss)] // counts and milliseconds are far below 2^52
    pub(crate) fn per_second(&self, now: i64) -> f64 {
        let (Some(&(since, first)), Some(&(_, last))) = (self.samples.front(), self.samples.back())
        else {
            return 0.0;
        };
        let span = (now - since).max(self.least_ms);
        last.saturating_sub(first) as f64 * 1000.0 / span as f64
    }
}

/// Seconds until nothing is left; [`HOLDS`] where the window turns before.
#[allow(clippy::cast_precision_loss)] // as above
pub(crate) fn exhausted_in(left: Option<u64>, per_second: f64, window_left_ms: i64) -> f64 {
    let Some(left) = left else {
        return HOLDS;
    };
    if left == 0 {
        return 0.0;
    }
    let seconds = left as f64 / per_second; // infinite at rate 0
    if seconds * 1000.0 < window_left_ms as f64 {
        seconds.min(HOLDS)
    } else {
        HOLDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_minutes() {
        let mut pace = Pace::of(Hour::default());
        assert!(pace.per_second(0) < f64::EPSILON);
        pace.note(0, 1000);
        pace.note(5_000, 1006);
        // five seconds after the start it is still divided by a minute
        assert!((pace.per_second(5_000) - 0.1).abs() < 1e-9);
        for minute in 1..=10 {
            pace.note(minute * 60_000, 1006 + 60 * minute.unsigned_abs());
        }
        assert!((pace.per_second(600_000) - 1.0).abs() < 1e-9);
        assert_eq!(pace.samples.len(), 6);
        // silence shows: the same count five minutes later
        pace.note(900_000, 1606);
        assert!(pace.per_second(900_000) < f64::EPSILON);
        // less than before, yet more than at first: reserved, and not needed
        pace.note(901_000, 1650);
        pace.note(902_000, 1640);
        assert!(pace.per_second(902_000) > 0.0);
        // a new month
        pace.note(905_000, 3);
        assert!(pace.per_second(905_000) < f64::EPSILON);
    }

    #[test]
    fn a_quota_ends_before_its_window_turns_or_it_holds() {
        let minutes = |n: i64| n * 60_000;
        for (left, rate, window, expected) in [
            (Some(150), 0.25, minutes(30), 600.0),
            (Some(150), 0.05, minutes(30), HOLDS),
            (Some(0), 0.0, minutes(30), 0.0),
            (Some(9), 0.0, minutes(30), HOLDS),
            (None, 99.0, minutes(30), HOLDS),
        ] {
            let seconds = exhausted_in(left, rate, window);
            assert!(
                (seconds - expected).abs() < 1e-9,
                "{left:?} at {rate}: {seconds}"
            );
        }
    }
}
