//! Blind: a signal that matters has said nothing for too long.

use super::memory::Memory;
use crate::policy::{LevelNumber, Policy};
use crate::time::Time;

/// Which signals are blind at a tick, and when the next one will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Blindness {
    /// The first blind signal, one that names no feature before one that does.
    pub(super) signal: Option<usize>,
    /// Whether `signal` names no feature: only then does blindness fire `missing.then`.
    pub(super) fires: bool,
    /// When the next signal becomes blind if it stays Unknown.
    pub(super) onset: Option<Time>,
}

impl Blindness {
    /// At a tick whose readings have been counted.
    pub(super) fn of(policy: &Policy, memory: &Memory, now: Time) -> Self {
        let mut blind = Self::default();
        for (index, of_signal) in memory.signals.iter().enumerate() {
            if let Some(since) = of_signal.unknown_since
                && policy.comparisons().any(|c| c.signal == index)
            {
                blind.count(policy, index, since, now);
            }
        }
        blind
    }

    #[cold]
    fn count(&mut self, policy: &Policy, index: usize, since: Time, now: Time) {
        let onset = since + policy.missing.after;
        if onset > now {
            self.onset = Some(self.onset.map_or(onset, |earlier| earlier.min(onset)));
            return;
        }
        let fires = policy.signals[index].feature.is_none();
        if self.signal.is_none() || (fires && !self.fires) {
            self.signal = Some(index);
            self.fires = fires;
        }
    }

    /// The level that blindness fires, if it fires one.
    pub(super) fn level(&self, policy: &Policy) -> Option<LevelNumber> {
        policy.missing.then.filter(|_| self.fires)
    }
}
