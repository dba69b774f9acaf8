//! What an edit of the policy leaves of its memory.

use super::memory::{ComparisonMemory, Memory, SignalMemory};
use crate::policy::{Comparison, LevelNumber, Mode, Policy, Signal};
use crate::time::Time;

/// The level that a level is after an edit of the ladder.
///
/// It keeps its name where the name is left. A name that is gone falls to the rung at its place if
/// that one's name is new (a rename), else to the nearest rung below it that is left, else to
/// Normal. `old` and `new` are the rungs' names, mildest first, without Normal.
pub fn level_after_edit<Old: AsRef<str>, New: AsRef<str>>(
    old: &[Old],
    new: &[New],
    level: LevelNumber,
) -> LevelNumber {
    let place_in_new = |name: &str| new.iter().position(|n| n.as_ref() == name);
    let Some(index) = level.checked_sub(1) else {
        return 0;
    };
    let is_new = |name: &str| old.iter().all(|o| o.as_ref() != name);
    let below = &old[..old.len().min(level)];
    let kept = below
        .get(index)
        .and_then(|name| place_in_new(name.as_ref()));
    let renamed = || new.get(index).filter(|n| is_new(n.as_ref())).map(|_| index);
    let nearest = || {
        below
            .iter()
            .rev()
            .find_map(|name| place_in_new(name.as_ref()))
    };
    kept.or_else(renamed)
        .or_else(nearest)
        .map_or(0, |place| place + 1)
}

impl Memory {
    /// What is left of this memory when the policy `old` becomes `new`.
    ///
    /// Levels (decided, pinned, applied) are kept by name, see [`level_after_edit`]. A level that
    /// could not be kept, nor followed through a rename, has stood since `now` and was reached by no
    /// recovery, so the next escalation is no flap. Comparisons that stayed equal, their signal
    /// included, keep their times; signals that stayed equal keep their run of Unknown; damping and
    /// the last blind tick stay.
    #[must_use]
    pub fn carry_over(&self, old: &Policy, new: &Policy, now: Time) -> Self {
        let (old_names, new_names) = (names(old), names(new));
        let after = |level| level_after_edit(&old_names, &new_names, level);
        let level = after(self.level);
        let name = new.level_name(level);
        let renamed = level == self.level && !old_names.contains(&name);
        let kept = name == old.level_name(self.level) || renamed;
        let applied = self.applied.filter(|_| new.mode != Mode::DryRun);
        let twin = |c: &Comparison| {
            let mut pairs = old.comparisons().zip(&self.comparisons);
            pairs.find_map(|(o, times)| same_comparison(old, o, new, c).then_some(*times))
        };
        let signal = |s: &Signal| {
            let mut pairs = old.signals.iter().zip(&self.signals);
            pairs.find_map(|(o, memory)| same_signal(old, o, new, s).then_some(*memory))
        };
        Self {
            level,
            since: if kept { self.since } else { Some(now) },
            recovered_at: self.recovered_at.filter(|_| kept),
            pinned: self.pinned.map(after),
            applied: applied.map(after),
            last_blind: self.last_blind,
            damping: self.damping,
            comparisons: new
                .comparisons()
                .map(|c| twin(c).unwrap_or_else(ComparisonMemory::default))
                .collect(),
            signals: new
                .signals
                .iter()
                .map(|s| signal(s).unwrap_or_else(SignalMemory::default))
                .collect(),
        }
    }
}

fn names(policy: &Policy) -> Vec<&str> {
    policy
        .levels
        .iter()
        .map(|rung| rung.name.as_str())
        .collect()
}

/// Equal comparisons have equal times wherever they stand, so the first one found will do.
fn same_comparison(old: &Policy, a: &Comparison, new: &Policy, b: &Comparison) -> bool {
    let numbers = |c: &Comparison| (c.threshold.to_bits(), c.clear.to_bits());
    a.direction == b.direction
        && a.hold == b.hold
        && numbers(a) == numbers(b)
        && same_signal(old, &old.signals[a.signal], new, &new.signals[b.signal])
}

fn same_signal(old: &Policy, a: &Signal, new: &Policy, b: &Signal) -> bool {
    let feature_of = |policy: &Policy, signal: &Signal| {
        signal
            .feature
            .map(|feature| policy.features[feature].name.clone())
    };
    a.name == b.name
        && a.low_traffic == b.low_traffic
        && a.measure == b.measure
        && feature_of(old, a) == feature_of(new, b)
}
