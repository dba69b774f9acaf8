//! When the next attempt may go: our rate limit towards the callee, and the pauses that it asks for.
//!
//! A turn is reserved, not tried for: so whoever would have to wait too long knows it at once, and
//! those who wait go in order of arrival. A turn whose caller goes away while waiting is lost.

use std::time::Duration;

use tokio::time::Instant;

use super::limits::RateLimit;

/// Turns in time (GCRA); `now` comes from the caller.
pub(super) struct Pace {
    rate: Option<Rate>,
    paused_until: Instant,
}

struct Rate {
    interval: Duration,
    /// How far ahead of the even pace a burst may run.
    tolerance: Duration,
    /// When the next turn would be due at an even pace.
    due: Instant,
}

impl Pace {
    pub(super) fn new(limit: Option<RateLimit>, now: Instant) -> Self {
        let rate = limit.map(|limit| {
            let interval = Duration::from_mins(1) / limit.per_minute.get();
            Rate {
                interval,
                tolerance: interval.saturating_mul(limit.burst.get() - 1),
                due: now,
            }
        });
        Self {
            rate,
            paused_until: now,
        }
    }

    /// A turn before `deadline`, which is then taken; or how long it would have been until it.
    pub(super) fn reserve(&mut self, now: Instant, deadline: Instant) -> Result<Instant, Duration> {
        let mut at = now.max(self.paused_until);
        if let Some(rate) = &self.rate {
            at = rate
                .due
                .checked_sub(rate.tolerance)
                .map_or(at, |t| at.max(t));
        }
        if at >= deadline {
            return Err(at - now);
        }
        if let Some(rate) = &mut self.rate {
            rate.due = rate.due.max(at) + rate.interval;
        }
        Ok(at)
    }

    /// Nobody goes before `until`; a longer pause stays.
    pub(super) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(until);
    }

    pub(super) fn paused_until(&self) -> Instant {
        self.paused_until
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;
    use governor::{Quota, RateLimiter};
    use proptest::prelude::*;

    use super::*;

    fn limit(per_minute: u32, burst: u32) -> RateLimit {
        RateLimit {
            per_minute: NonZeroU32::new(per_minute).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    proptest! {
        /// Who takes only turns that are free now fares as with a limiter that knows no others.
        #[test]
        fn turns_that_are_free_now_are_those_of_governor(
            per_minute in 1u32..600,
            burst in 1u32..20,
            waits in prop::collection::vec(0u64..40_000, 0..200),
        ) {
            let clock = FakeRelativeClock::default();
            let limit = limit(per_minute, burst);
            let quota = Quota::per_minute(limit.per_minute).allow_burst(limit.burst);
            let model = RateLimiter::direct_with_clock(quota, clock.clone());
            let mut now = Instant::now();
            let mut pace = Pace::new(Some(limit), now);
            for wait in waits {
                let wait = Duration::from_millis(wait / u64::from(per_minute));
                clock.advance(wait);
                now += wait;
                let turn = pace.reserve(now, now + Duration::from_nanos(1));
                prop_assert_eq!(turn.is_ok(), model.check().is_ok());
            }
        }

        /// However long they are willing to wait: in any stretch of time, no more turns than burst and rate allow.
        #[test]
        fn turns_that_are_waited_for_keep_to_the_rate(
            per_minute in 1u32..600,
            burst in 1u32..20,
            callers in prop::collection::vec((0u64..2_000, 1u64..120_000, 0u64..5_000), 1..100),
        ) {
            let mut now = Instant::now();
            let limit = limit(per_minute, burst);
            let mut pace = Pace::new(Some(limit), now);
            let interval = Duration::from_mins(1) / per_minute;
            let mut turns: Vec<Instant> = Vec::new();
            for (wait, patience, pause) in callers {
                now += Duration::from_millis(wait);
                if pause > 4_000 {
                    pace.pause(now + Duration::from_millis(pause));
                }
                let deadline = now + Duration::from_millis(patience);
                match pace.reserve(now, deadline) {
                    Ok(at) => {
                        prop_assert!(at >= now && at < deadline && at >= pace.paused_until());
                        prop_assert!(turns.last().is_none_or(|&last| last <= at), "in order");
                        turns.push(at);
                    }
                    Err(retry_in) => prop_assert!(now + retry_in >= deadline),
                }
            }
            let burst = usize::try_from(burst).unwrap();
            for window in turns.windows(burst + 1) {
                prop_assert!(window[burst] - window[0] >= interval);
            }
            for (n, &at) in (0u32..).zip(&turns) {
                let ahead = n.saturating_sub(limit.burst.get() - 1);
                prop_assert!(at - turns[0] >= interval * ahead);
            }
        }
    }

    #[test]
    fn a_pause_holds_everyone_and_is_not_cut_short() {
        let now = Instant::now();
        let mut pace = Pace::new(None, now);
        let second = Duration::from_secs(1);
        pace.pause(now + 3 * second);
        pace.pause(now + second);
        assert_eq!(pace.reserve(now, now + 2 * second), Err(3 * second));
        assert_eq!(pace.reserve(now, now + 4 * second), Ok(now + 3 * second));
        let later = now + 5 * second;
        assert_eq!(pace.reserve(later, later + second), Ok(later));
    }
}
