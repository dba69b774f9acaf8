//! Flap damping, after the route-flap damping of RFC 2439: each flap adds to a penalty that halves
//! with time; past a limit, recovery is held until the penalty has decayed. Escalation never is.

use super::memory::Damping;
use crate::policy::Policy;
use crate::time::{Span, Time};

const FLAP: f64 = 1000.0;
const HOLD_ABOVE: f64 = 2000.0;
const RELEASE_BELOW: f64 = 750.0;
const HELD_AT_MOST: Span = Span::from_secs(3600);
const SHORTEST_HALF_LIFE: Span = Span::from_secs(15 * 60);

/// H: the time in which the penalty halves, and within which a new escalation is a flap.
pub(super) fn half_life(policy: &Policy) -> Span {
    let rungs = i64::try_from(policy.top()).unwrap_or(i64::MAX);
    SHORTEST_HALF_LIFE.max(policy.recovery.after.times(2 * rungs))
}

impl Damping {
    /// The penalty as it is at `now`, decayed since the last flap.
    pub fn penalty_at(&self, policy: &Policy, now: Time) -> f64 {
        self.at.map_or(0.0, |at| {
            let halvings = (now - at).as_secs_f64() / half_life(policy).as_secs_f64();
            self.penalty * (-halvings).exp2()
        })
    }

    /// When recovery is released; `None` while it is not held.
    pub fn release_at(&self, policy: &Policy) -> Option<Time> {
        let (since, at) = (self.held_since?, self.at?);
        let latest = since + HELD_AT_MOST;
        let halvings = (self.penalty / RELEASE_BELOW).log2().max(0.0);
        let decayed = halvings * half_life(policy).as_secs_f64() * 1000.0;
        #[allow(clippy::cast_possible_truncation)] // rounded; a cast of floats saturates
        let mut release = at + Span::from_millis(decayed.floor() as i64);
        // the logarithm is rounded: step to the first millisecond that is_held agrees with
        while release < latest && self.penalty_at(policy, release) >= RELEASE_BELOW {
            release = release + Span::from_millis(1);
        }
        Some(release.min(latest))
    }

    pub(super) fn is_held(&self, policy: &Policy, now: Time) -> bool {
        self.held_since.is_some_and(|since| {
            now - since < HELD_AT_MOST && self.penalty_at(policy, now) >= RELEASE_BELOW
        })
    }

    pub(super) fn release_when_due(&mut self, policy: &Policy, now: Time) {
        if !self.is_held(policy, now) {
            self.held_since = None;
        }
    }

    pub(super) fn count_flap(&mut self, policy: &Policy, now: Time) {
        self.penalty = self.penalty_at(policy, now) + FLAP;
        self.at = Some(now);
        if self.penalty > HOLD_ABOVE {
            self.held_since = Some(now);
        }
    }
}
