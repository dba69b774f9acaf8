//! The retry budget: calls pay in a little, a retry costs one, so retries can never multiply the load
//! on somebody who is failing under it.
//!
//! Between two moments, all calls together make at most: retries = what was there (at most
//! `most`) + `per_call` × calls + `per_second` × seconds.

use tokio::time::Instant;

use super::limits::BudgetLimits;

/// What there is at first.
const START: f64 = 1.0;

/// A bucket of tokens; `now` comes from the caller and never goes back.
pub(super) struct Budget {
    limits: BudgetLimits,
    tokens: f64,
    at: Instant,
}

impl Budget {
    pub(super) fn new(limits: BudgetLimits, now: Instant) -> Self {
        let tokens = START.min(limits.most);
        Self {
            limits,
            tokens,
            at: now,
        }
    }

    /// A call makes its first attempt.
    pub(super) fn deposit(&mut self, now: Instant) {
        self.refill(now);
        self.add(self.limits.per_call);
    }

    /// Takes what a retry costs, if it is there.
    pub(super) fn withdraw(&mut self, now: Instant) -> bool {
        self.refill(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    /// As of the last change.
    pub(super) fn tokens(&self) -> f64 {
        self.tokens
    }

    /// The floor: without it, who calls once a minute could never retry.
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.add(passed.as_secs_f64() * self.limits.per_second);
    }

    fn add(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(self.limits.most);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Call,
        Retry,
        Wait(Duration),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Call),
            6 => Just(Step::Retry),
            1 => (0u64..30_000).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        ]
    }

    proptest! {
        #[test]
        fn attempts_stay_within_a_tenth_more_than_calls_and_the_floor(
            steps in prop::collection::vec(step(), 0..600),
        ) {
            let limits = BudgetLimits { per_call: 0.1, per_second: 0.05, most: 10.0 };
            let begin = Instant::now();
            let mut now = begin;
            let mut budget = Budget::new(limits, now);
            let (mut calls, mut attempts) = (0u32, 0u32);
            for step in steps {
                match step {
                    Step::Call => {
                        budget.deposit(now);
                        calls += 1;
                        attempts += 1;
                    }
                    Step::Retry => attempts += u32::from(budget.withdraw(now)),
                    Step::Wait(time) => now += time,
                }
                let floor = START + 0.05 * (now - begin).as_secs_f64();
                prop_assert!(f64::from(attempts) <= f64::from(calls) * 1.1 + floor + 1e-6);
                prop_assert!((0.0..=10.0).contains(&budget.tokens()));
            }
        }
    }

    #[test]
    fn a_lone_call_can_be_retried_and_then_only_in_time() {
        let mut now = Instant::now();
        let limits = BudgetLimits {
            per_call: 0.1,
            per_second: 0.1,
            most: 2.0,
        };
        let mut budget = Budget::new(limits, now);
        assert!(budget.withdraw(now));
        assert!(!budget.withdraw(now));
        now += Duration::from_millis(9_990);
        assert!(!budget.withdraw(now));
        now += Duration::from_millis(20);
        assert!(budget.withdraw(now));
        now += Duration::from_hours(1);
        assert!(budget.withdraw(now));
        assert!(budget.withdraw(now));
        assert!(!budget.withdraw(now), "what is saved is bounded");
    }
}
