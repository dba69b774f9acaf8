//! What is set for a dependency.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use backon::ExponentialBuilder;

/// What a dependency is held to. The defaults suit an HTTP API that answers within a second or two;
/// whoever has other needs writes `Limits { timeout, ..Limits::default() }`.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// For one attempt; the deadline of the call bounds it too.
    pub(crate) timeout: Duration,
    /// Attempts under way at once.
    pub(crate) concurrency: NonZeroUsize,
    /// How long a call waits for its place among them.
    pub(crate) patience: Duration,
    /// Attempts a minute; `None` for as many as come.
    pub(crate) rate: Option<RateLimit>,
    /// At most so many after the first attempt. 0 for what must not be done twice.
    pub(crate) retries: usize,
    /// Before the first retry; it doubles with each, and up to as much again is added by chance.
    pub(crate) backoff: Duration,
    pub(crate) backoff_longest: Duration,
    pub(crate) budget: BudgetLimits,
    /// However long the callee asks to be left alone, it is asked again after this.
    pub(crate) longest_pause: Duration,
    pub(crate) breaker: BreakerLimits,
}

/// An even pace, and how many may go at once after a silence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimit {
    pub(crate) per_minute: NonZeroU32,
    pub(crate) burst: NonZeroU32,
}

/// What pays for retries, in retries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BudgetLimits {
    pub(crate) per_call: f64,
    pub(crate) per_second: f64,
    /// What can be saved up.
    pub(crate) most: f64,
}

/// When a dependency is left alone, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerLimits {
    /// The last so many calls count...
    pub(crate) window: NonZeroUsize,
    /// ...that are no older than this.
    pub(crate) window_age: Duration,
    /// Fewer calls say nothing.
    pub(crate) minimum: NonZeroUsize,
    /// The share of failed calls that opens it.
    pub(crate) failure_rate: f64,
    /// A call is slow from here on.
    pub(crate) slow_after: Duration,
    /// The share of slow calls that opens it.
    pub(crate) slow_rate: f64,
    /// For how long it opens; twice as long each time that a probe is bad.
    pub(crate) open_for: Duration,
    pub(crate) open_longest: Duration,
    /// So many good probes in a row close it.
    pub(crate) probes: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            concurrency: const { NonZeroUsize::new(16).unwrap() },
            patience: Duration::from_secs(1),
            rate: None,
            retries: 2,
            backoff: Duration::from_millis(100),
            backoff_longest: Duration::from_secs(2),
            budget: BudgetLimits::default(),
            longest_pause: Duration::from_mins(10),
            breaker: BreakerLimits::default(),
        }
    }
}

impl Limits {
    /// The delays between attempts, one for each retry that there may be.
    pub(super) fn delays(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_min_delay(self.backoff)
            .with_max_delay(self.backoff_longest)
            .with_factor(2.0)
            .with_max_times(self.retries)
            .with_jitter()
    }
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self {
            per_call: 0.1,
            per_second: 0.1,
            most: 10.0,
        }
    }
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            window: const { NonZeroUsize::new(50).unwrap() },
            window_age: Duration::from_mins(1),
            minimum: const { NonZeroUsize::new(10).unwrap() },
            failure_rate: 0.5,
            slow_after: Duration::from_secs(5),
            slow_rate: 0.8,
            open_for: Duration::from_secs(5),
            open_longest: Duration::from_mins(1),
            probes: const { NonZeroU32::new(2).unwrap() },
        }
    }
}
