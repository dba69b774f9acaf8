//! What deciding remembers from tick to tick.

use serde::{Deserialize, Serialize};

use crate::policy::{LevelNumber, Mode, Policy};
use crate::time::{Span, Time};

/// What deciding remembers of one policy. Saved and restored whole, it changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The level decided on, 0 is Normal.
    pub level: LevelNumber,
    /// When that level was reached; `None` before the first transition.
    pub since: Option<Time>,
    /// When the last transition was a recovery: its time. `None` where it was none, or an escalation.
    pub recovered_at: Option<Time>,
    /// The level that a person has pinned, while the pin holds.
    pub pinned: Option<LevelNumber>,
    /// The level that was applied at the last tick; `None` where nothing is applied (`DryRun`).
    pub applied: Option<LevelNumber>,
    /// The last tick at which the policy was blind.
    pub last_blind: Option<Time>,
    /// Flap damping.
    pub damping: Damping,
    /// One per comparison, over all rungs, in the order they are written.
    pub comparisons: Vec<ComparisonMemory>,
    /// One per signal, in the order they are written.
    pub signals: Vec<SignalMemory>,
}

/// The flap penalty: RFC 2439's idea, halving with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Damping {
    /// The penalty as it was at `at`. Serialised as decimal text, which loses nothing.
    #[serde(with = "decimal_text")]
    pub penalty: f64,
    /// When `penalty` was last raised; `None` before the first flap.
    pub at: Option<Time>,
    /// Since when recovery is held; `None` while it is not.
    pub held_since: Option<Time>,
}

/// What is remembered of one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparisonMemory {
    /// How long it has been breached.
    pub breached_for: Span,
    /// How long it has been clear.
    pub clear_for: Span,
    /// The last known reading; `None` before the first one.
    pub last_known: Option<LastKnown>,
}

/// A comparison at its last known reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastKnown {
    /// The tick.
    pub at: Time,
    /// Whether it was breached.
    pub breached: bool,
    /// Whether it was clear.
    pub clear: bool,
    /// Whether every tick since has been Unknown, at least one of them.
    pub unknown_since: bool,
}

/// What is remembered of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalMemory {
    /// The first of the Unknown ticks without a break up to now.
    pub unknown_since: Option<Time>,
    /// Whether its feature was Disabled at the last tick.
    pub feature_disabled: bool,
}

impl Memory {
    /// The memory of a policy that has seen nothing yet: level 0, all times 0. The only place where
    /// deciding allocates.
    pub fn new(policy: &Policy) -> Self {
        Self {
            applied: (policy.mode != Mode::DryRun).then_some(0),
            comparisons: vec![ComparisonMemory::default(); policy.comparisons().count()],
            signals: vec![SignalMemory::default(); policy.signals.len()],
            ..Self::default()
        }
    }

    /// A person pins a level: from the next tick on it is what is applied. Deciding goes on.
    pub fn pin(&mut self, level: LevelNumber) {
        self.pinned = Some(level);
    }

    /// The pin ends: deciding goes on from the pinned level, as if it had been reached at `now` and
    /// not by a recovery. Nothing happens where nothing is pinned.
    pub fn unpin(&mut self, now: Time) {
        if let Some(level) = self.pinned.take() {
            self.level = level;
            self.since = Some(now);
            self.recovered_at = None;
        }
    }

    /// Deciding goes on after a pause: all times start at 0, the level stays.
    pub fn reset_times(&mut self) {
        self.comparisons.fill(ComparisonMemory::default());
        for signal in &mut self.signals {
            signal.unknown_since = None;
        }
    }

    /// The clock was set back: `at` comes after times that were later. The times of comparisons and
    /// signals start at 0; what lies ahead of `at` is as if it had just been, since nobody knows how
    /// long ago it was.
    pub fn clock_set_back(&mut self, at: Time) {
        self.reset_times();
        for time in [
            &mut self.since,
            &mut self.recovered_at,
            &mut self.last_blind,
            &mut self.damping.at,
            &mut self.damping.held_since,
        ] {
            *time = time.map(|time| time.min(at));
        }
    }
}

impl ComparisonMemory {
    /// Whether the last tick's reading was known and breached.
    pub fn breached_now(&self) -> bool {
        self.last_known
            .is_some_and(|last| last.breached && !last.unknown_since)
    }

    /// Whether the last tick's reading was known, or counted, as clear.
    pub fn clear_now(&self) -> bool {
        self.last_known
            .is_some_and(|last| last.clear && !last.unknown_since)
    }
}

/// A number as the shortest decimal that reads back as itself: JSON readers round numbers.
mod decimal_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::trivially_copy_pass_by_ref)] // the signature serde calls
    pub(super) fn serialize<S: Serializer>(number: &f64, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::tests::builder::policy;
    use crate::decide::{Reading, decide};

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_for_longer_than_the_rules_do() {
        let policy = policy(&["any a>1:20"]);
        let mut memory = Memory::new(&policy);
        let tick = |memory: &mut Memory, seconds: i64, value: f64| {
            decide(&policy, &[Reading::Value(value)], memory, at(seconds)).level
        };
        for seconds in [4000, 4010, 4020] {
            tick(&mut memory, seconds, 2.0);
        }
        assert_eq!((memory.level, memory.since), (1, Some(at(4020))));
        memory.recovered_at = Some(at(300));
        memory.last_blind = Some(at(4010));
        memory.damping = Damping {
            penalty: 1000.0,
            at: Some(at(4015)),
            held_since: None,
        };

        memory.clock_set_back(at(400));
        assert_eq!(memory.level, 1);
        assert_eq!(memory.since, Some(at(400)));
        assert_eq!(memory.recovered_at, Some(at(300)));
        assert_eq!(memory.last_blind, Some(at(400)));
        assert_eq!(memory.damping.at, Some(at(400)));
        assert_eq!(memory.comparisons, [ComparisonMemory::default()]);
        // recovery is due 30 s after that
        let levels: Vec<_> = [400, 410, 420, 430]
            .map(|seconds| tick(&mut memory, seconds, 0.0))
            .into();
        assert_eq!(levels, [1, 1, 1, 0]);
    }
}
