//! The circuit breaker: who fails too often, or is too slow, is left alone for a while.
//!
//! Closed, calls go through, and the last ones are remembered. Open, none goes through. Half-open,
//! one goes through at a time, the probe: enough good ones close it, a bad one opens it for longer.
//!
//! A state machine that knows no clock: `now` comes from the caller.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::limits::BreakerLimits;

/// What a call says about the callee's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered. A refusal (4xx) is an answer too: what was wrong is the request.
    Healthy,
    Failed,
    /// Nothing, unless it took long: the caller went away, or there was a 429, which a gateway may
    /// say for a callee that is down, and which overload alone does not explain.
    Unknown,
    /// Nothing, however long it took: the callee was never asked.
    Unasked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    HalfOpen,
    Open,
}

/// The right to call, to be given back to [`Breaker::record`]; a probe that is not holds up all others.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Pass {
    /// What was begun before a change of phase says nothing about what came after.
    era: u64,
}

pub(super) struct Breaker {
    limits: BreakerLimits,
    state: State,
    era: u64,
    /// In a row, without being closed in between.
    openings: u32,
}

enum State {
    Closed(VecDeque<Call>),
    HalfOpen { good: u32, probing: bool },
    Open { until: Instant },
}

#[derive(Clone, Copy)]
struct Call {
    at: Instant,
    failed: bool,
    slow: bool,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self {
            limits,
            state: State::Closed(VecDeque::new()),
            era: 0,
            openings: 0,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Closed(_) => Phase::Closed,
            State::HalfOpen { .. } => Phase::HalfOpen,
            State::Open { .. } => Phase::Open,
        }
    }

    /// How long a call would be refused for, if it would.
    pub(super) fn refuses(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Open { until } if now < until => Some(until - now),
            // by then the probe was good, or was too slow
            State::HalfOpen { probing: true, .. } => Some(self.limits.slow_after),
            _ => None,
        }
    }

    /// Lets a call through, or says how long to wait.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        if let Some(retry_in) = self.refuses(now) {
            return Err(retry_in);
        }
        if let State::Open { .. } = self.state {
            self.enter(State::HalfOpen {
                good: 0,
                probing: false,
            });
        }
        if let State::HalfOpen { probing, .. } = &mut self.state {
            *probing = true;
        }
        Ok(Pass { era: self.era })
    }

    /// What came of a call; `jitter` is anything from 0 to 1.
    #[allow(clippy::needless_pass_by_value)] // a pass is good for one call
    pub(super) fn record(
        &mut self,
        pass: Pass,
        verdict: Verdict,
        took: Duration,
        now: Instant,
        jitter: f64,
    ) {
        if pass.era != self.era {
            return;
        }
        let failed = verdict == Verdict::Failed;
        let slow = took >= self.limits.slow_after;
        let says_nothing = match verdict {
            Verdict::Unasked => true,
            Verdict::Unknown => !slow,
            Verdict::Healthy | Verdict::Failed => false,
        };
        match &mut self.state {
            State::HalfOpen { probing, .. } if says_nothing => *probing = false,
            State::HalfOpen { .. } if failed || slow => self.open(now, jitter),
            State::HalfOpen { good, probing } => {
                *good += 1;
                *probing = false;
                if *good >= self.limits.probes.get() {
                    self.openings = 0;
                    self.enter(State::Closed(VecDeque::new()));
                }
            }
            State::Closed(calls) if !says_nothing => {
                let at = now;
                calls.push_back(Call { at, failed, slow });
                if is_bad(calls, &self.limits, now) {
                    self.open(now, jitter);
                }
            }
            // nobody holds a pass of an era in which none was given
            State::Closed(_) | State::Open { .. } => {}
        }
    }

    /// Longer each time, and not for as long everywhere: many bots may have lost the same callee at once.
    fn open(&mut self, now: Instant, jitter: f64) {
        let doublings = self.openings.min(16);
        self.openings = self.openings.saturating_add(1);
        let limits = &self.limits;
        let wait = limits.open_for.saturating_mul(1 << doublings);
        let wait = wait.min(limits.open_longest);
        let until = now + wait + wait.mul_f64(jitter.clamp(0.0, 1.0) / 4.0);
        self.enter(State::Open { until });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

/// Forgets what no longer counts and judges the rest.
fn is_bad(calls: &mut VecDeque<Call>, limits: &BreakerLimits, now: Instant) -> bool {
    while calls.len() > limits.window.get() {
        calls.pop_front();
    }
    while calls
        .front()
        .is_some_and(|call| now - call.at > limits.window_age)
    {
        calls.pop_front();
    }
    let count = |bad: fn(&Call) -> bool| {
        let bad = calls.iter().filter(|&call| bad(call)).count();
        u32::try_from(bad).unwrap_or(u32::MAX)
    };
    let total = f64::from(count(|_| true));
    let reaches = |bad: u32, rate: f64| f64::from(bad) >= rate * total;
    calls.len() >= limits.minimum.min(limits.window).get()
        && (reaches(count(|call| call.failed), limits.failure_rate)
            || reaches(count(|call| call.slow), limits.slow_rate))
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
