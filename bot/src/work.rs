//! The CPU work that a real bot would do, and the threads that do it.
//!
//! Work is counted in rounds of a loop that is measured once at start, so a cost in milliseconds
//! is a cost in CPU time: when cores are short, the same work takes longer, as real work does.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::features::FULL_BUDGET;
use crate::queue::Queues;

/// An amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work(u64);

impl Work {
    pub(crate) fn rounds(rounds: u64) -> Self {
        Self(rounds)
    }

    /// Does it, on the calling thread.
    fn perform(self) {
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
    pub(crate) fn new(config: &Config, rounds_per_ms: f64) -> Self {
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
        Work::rounds(ROUNDS).perform();
        start.elapsed()
    });
    let best = tries.min().unwrap_or_default();
    ROUNDS as f64 / (best.max(Duration::from_micros(1)).as_secs_f64() * 1000.0)
}

/// The threads that serve the queues. Dropped, it closes the queues, and each thread ends when
/// nothing is left to do.
pub(crate) struct Workers(Arc<Queues>);

impl Workers {
    pub(crate) fn start(count: usize, queues: &Arc<Queues>) -> std::io::Result<Self> {
        let workers = Self(Arc::clone(queues));
        for n in 0..count {
            let queues = Arc::clone(queues);
            let thread = std::thread::Builder::new().name(format!("worker-{n}"));
            thread.spawn(move || {
                while let Some(job) = queues.take() {
                    job.work.perform();
                    // an asker who gave up meanwhile needs no answer
                    let _ = job.done.send(());
                }
            })?;
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn costs_are_in_proportion() {
        let costs = Costs::new(
            &Config::parse_from(["chatbotler", "--work-scale=2"]),
            1000.0,
        );
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
