//! Made-up CPU work, for load tests and the demo: what a busier bot would do.
//!
//! Work is counted in rounds of a loop that is measured once at start, so a cost in milliseconds
//! is a cost in CPU time: when cores are short, the same work takes longer, as real work does.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::config::LoadConfig;
use crate::features::FULL_BUDGET;

/// An amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work(u64);

impl Work {
    pub(crate) fn rounds(rounds: u64) -> Self {
        Self(rounds)
    }

    /// Does it, away from the threads that serve everybody.
    pub(crate) async fn perform(self) {
        if self.0 > 0 {
            // an error: the runtime is shutting down, and nobody waits
            let _ = tokio::task::spawn_blocking(move || self.burn()).await;
        }
    }

    fn burn(self) {
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..self.0 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            black_box(x);
        }
    }
}

/// What each thing costs, in CPU milliseconds, and how many rounds one of them is.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    rate: f64,
    command: f64,
    chat: f64,
    animation: f64,
}

impl Costs {
    pub(crate) fn new(config: &LoadConfig, rounds_per_ms: f64) -> Self {
        Self {
            rate: rounds_per_ms,
            command: config.command_ms * config.work_scale,
            chat: config.chat_ms * config.work_scale,
            animation: config.animation_ms * config.work_scale,
        }
    }

    pub(crate) fn command(&self) -> Work {
        self.work(self.command)
    }

    /// In proportion to the budget.
    pub(crate) fn chat(&self, budget: u32) -> Work {
        self.work(self.chat * f64::from(budget) / f64::from(FULL_BUDGET))
    }

    /// A reduced animation costs a quarter.
    pub(crate) fn animation(&self, reduced: bool) -> Work {
        self.work(self.animation * if reduced { 0.25 } else { 1.0 })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded by the options
    fn work(&self, ms: f64) -> Work {
        Work::rounds((ms * self.rate) as u64)
    }
}

/// How many rounds a millisecond takes on an undisturbed core: the best of a few short tries,
/// because a disturbed try only ever looks slower.
#[allow(clippy::cast_precision_loss)] // a few hundred thousand rounds
pub(crate) fn calibrate() -> f64 {
    const ROUNDS: u64 = 300_000;
    let tries = (0..12).map(|_| {
        let start = Instant::now();
        Work::rounds(ROUNDS).burn();
        start.elapsed()
    });
    let best = tries.min().unwrap_or_default();
    ROUNDS as f64 / (best.max(Duration::from_micros(1)).as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_in_proportion() {
        let config = LoadConfig {
            work_scale: 2.0,
            command_ms: 2.0,
            chat_ms: 40.0,
            animation_ms: 120.0,
        };
        let costs = Costs::new(&config, 1000.0);
        assert_eq!(costs.command(), Work(4000));
        assert_eq!(costs.chat(512), Work(80_000));
        assert_eq!(costs.chat(96), Work(15_000));
        assert_eq!(costs.animation(false), Work(240_000));
        assert_eq!(costs.animation(true), Work(60_000));
    }

    #[test]
    fn a_core_is_measured() {
        assert!(calibrate() > 1000.0);
    }
}
