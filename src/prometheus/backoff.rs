//! Leaving a source alone that cannot be reached.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// After the n-th failure in a row to reach the source it is left alone for 0.5 s × 2^(n-1), at most
/// 60 s: 0.5, 1, 2, 4, 8, 16, 32, 60. So ticks up to eight seconds apart notice a short outage's end
/// at the next tick, and nobody later than a minute after it. Requests under way together fail once.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    failed_at: Option<Instant>,
    until: Option<Instant>,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self {
            failures: 0,
            failed_at: None,
            until: None,
        }
    }

    /// Whether the source is being left alone.
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// A request sent at `sent` did not reach the source.
    pub(super) fn failed(&mut self, sent: Instant, now: Instant) {
        if self.failed_at.is_some_and(|at| sent < at) {
            return;
        }
        let wait = FIRST.saturating_mul(1 << self.failures.min(7));
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
        self.until = Some(now + wait.min(LONGEST));
    }

    /// The source was reached, whatever it said.
    pub(super) fn reached(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_double_the_wait_up_to_a_minute() {
        let mut backoff = Backoff::new();
        let mut now = Instant::now();
        for wait in [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
            assert!(!backoff.holds(now));
            backoff.failed(now, now);
            let wait = Duration::from_millis(wait);
            assert!(backoff.holds(now + wait - Duration::from_millis(1)));
            assert!(!backoff.holds(now + wait));
            now += wait;
        }
        backoff.reached();
        backoff.failed(now, now);
        assert!(!backoff.holds(now + FIRST));
    }

    #[test]
    fn requests_under_way_together_fail_once() {
        let mut backoff = Backoff::new();
        let sent = Instant::now();
        for later in 1..9 {
            backoff.failed(sent, sent + Duration::from_millis(later));
        }
        assert!(!backoff.holds(sent + Duration::from_millis(501)));
    }
}
