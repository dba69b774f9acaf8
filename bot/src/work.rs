//! Made-up CPU work, for load tests and the demo: what a busier bot would do.
//!
//! Work is counted in rounds of a loop that is measured once at start, so a cost in milliseconds
//! is a cost in CPU time: when cores are short, the same work takes longer, as real work does.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::config::LoadConfig;
use crate::features::FULL_BUDGET;

/// Rounds between two looks whether anybody still waits: much less than a millisecond.
const LOOK: u64 = 1 << 14;

/// An amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work(u64);

impl Work {
    pub(crate) fn rounds(rounds: u64) -> Self {
        Self(rounds)
    }

    /// Does it, away from the threads that serve everybody, for as long as somebody waits: whoever goes away
    /// leaves a turn to the next, whose work is not to come on top.
    pub(crate) async fn perform(self) {
        if self.0 > 0 {
            let gone = CancellationToken::new();
            let _leaving = gone.clone().drop_guard();
            // an error: the runtime is shutting down, and nobody waits
            let _ = tokio::task::spawn_blocking(move || self.burn(&gone)).await;
        }
    }

    fn burn(self, gone: &CancellationToken) {
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..self.0 {
            if round.is_multiple_of(LOOK) && gone.is_cancelled() {
                return;
            }
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
    let nobody = CancellationToken::new();
    let tries = (0..12).map(|_| {
        let start = Instant::now();
        Work::rounds(ROUNDS).burn(&nobody);
        start.elapsed()
    });
    let best = tries.min().unwrap_or_default();
    ROUNDS as f64 / (best.max(Duration::from_micros(1)).as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaving::leave_at;

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
    fn what_nobody_waits_for_any_more_ends() {
        const PATIENCE: Duration = Duration::from_secs(30);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let endless = Work::rounds(u64::MAX);
        let left = runtime.block_on(leave_at(0, endless.perform()));
        assert!(left.is_none(), "it was done");
        let begin = Instant::now();
        runtime.shutdown_timeout(PATIENCE);
        assert!(begin.elapsed() < PATIENCE, "it goes on");
    }

    #[test]
    fn a_core_is_measured() {
        assert!(calibrate() > 1000.0);
    }
}
