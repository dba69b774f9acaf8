//! After a restart: level, damping and blindness come back from status, the timers by replaying the
//! last minutes from Prometheus through `decide` itself, at the levels in history and without making
//! transitions.

mod remember;

pub use remember::{Remembered, moved, rejection, remember};

use super::record::{Entry, Record, words};
use crate::decide::{Memory, Reading, decide};
use crate::policy::{LevelNumber, Mode, Policy};
use crate::time::{Span, Time};

/// How much of the past the timers need: enough for the longest `for` and, above Normal, for recovery,
/// twice over since an Unknown reading stops the one and not the other.
pub fn window(policy: &Policy, level: LevelNumber) -> Span {
    let hold = policy
        .comparisons()
        .map(|comparison| comparison.hold)
        .max()
        .unwrap_or(Span::ZERO);
    let recovery = if level > 0 {
        policy.recovery.after
    } else {
        Span::ZERO
    };
    hold.max(recovery).times(2) + policy.missing.after + policy.interval.times(4)
}

/// The level that was applied at a time, by history: what `observe` needs for the empty room.
pub fn applied_at(policy: &Policy, record: &Record, at: Time) -> Option<LevelNumber> {
    if policy.mode == Mode::DryRun {
        return None;
    }
    let (mut level, mut pinned) = (None, None);
    for entry in record.history.iter().take_while(|entry| entry.at <= at) {
        match entry.reason.as_str() {
            words::PINNED => pinned = Some(entry.to),
            words::UNPINNED => (level, pinned) = (Some(entry.to), None),
            _ => level = Some(entry.to),
        }
    }
    let after = || {
        let mut later = record.history.iter();
        later.find(|entry| entry.at > at).map(|entry| entry.from)
    };
    let level = pinned.or(level).or_else(after).unwrap_or(record.level);
    Some(
        policy
            .max_level
            .map_or(level, |max| level.min(max))
            .min(policy.top()),
    )
}

/// The level that had been decided on at a time, by history.
pub fn decided_at(policy: &Policy, record: &Record, at: Time) -> LevelNumber {
    let decisions = || record.history.iter().filter(|entry| moves_decision(entry));
    let before = decisions()
        .rev()
        .find(|entry| entry.at <= at)
        .map(|entry| entry.to);
    let after = || {
        decisions()
            .find(|entry| entry.at > at)
            .map(|entry| entry.from)
    };
    before
        .or_else(after)
        .unwrap_or(record.desired)
        .min(policy.top())
}

/// Takes one past tick into the timers; says when that tick would have asked again.
pub fn replay(
    policy: &Policy,
    record: &Record,
    memory: &mut Memory,
    at: Time,
    readings: &[Reading],
) -> Option<Time> {
    // What stood at the tick before is what this one was decided on. What it concludes is in history
    // already: only its timers are kept.
    let before = at - Span::from_millis(1);
    memory.applied = applied_at(policy, record, before);
    memory.level = decided_at(policy, record, before);
    memory.pinned = None;
    decide(policy, readings, memory, at).next_change
}

/// What replaying the past gave.
pub struct Rebuilt {
    /// The timers.
    pub memory: Memory,
    /// Which signals the source said nothing of at all.
    pub unanswered: Vec<bool>,
    /// The first tick that was replayed.
    pub from: Time,
    /// The last one.
    pub to: Time,
}

/// After the past has been replayed: what stood over it is put back, only the timers are new.
///
/// Where the source does not answer now, that says nothing of then: such a signal has been Unknown for
/// as long as status remembers, neither longer nor shorter. The same goes for a gap that it does tell
/// of: one that it shows from its beginning on is the remembered one, and none began before that. And
/// where status tells of blindness that the source does not (it was there, but not for us), that lasted
/// until now: what was not seen is no reason to recover.
pub fn conclude(
    now: &Memory,
    rebuilt: Rebuilt,
    unknown_since: Option<Time>,
    was_blind: bool,
) -> Memory {
    let mut signals = rebuilt.memory.signals;
    for (signal, &unanswered) in signals.iter_mut().zip(&rebuilt.unanswered) {
        signal.unknown_since = match (signal.unknown_since, unknown_since) {
            (_, remembered) if unanswered => remembered,
            (Some(own), Some(remembered)) if own <= rebuilt.from => Some(remembered),
            (Some(own), Some(remembered)) => Some(own.max(remembered)),
            (own, _) => own,
        };
    }
    let trusted = rebuilt.unanswered.iter().all(|unanswered| !unanswered);
    let last_blind = rebuilt.memory.last_blind.filter(|_| trusted);
    let last_blind = last_blind.or_else(|| was_blind.then_some(rebuilt.to));
    Memory {
        comparisons: rebuilt.memory.comparisons,
        signals,
        last_blind: now.last_blind.max(last_blind),
        ..now.clone()
    }
}

/// Which signals the source did not answer for at any of the past ticks.
pub fn unanswered(signals: usize, ticks: &[(Time, Vec<Reading>)]) -> Vec<bool> {
    let silent = |reading: Option<&Reading>| matches!(reading, Some(Reading::Unknown(class)) if class.is_unanswered());
    (0..signals)
        .map(|signal| {
            ticks
                .iter()
                .all(|(_, readings)| silent(readings.get(signal)))
        })
        .collect()
}

/// Whether an entry tells of a level decided on. A rung that was only renamed is none: it stands as
/// long as before.
fn moves_decision(entry: &Entry) -> bool {
    let renamed = entry.reason == words::SPEC_CHANGED && entry.from == entry.to;
    !renamed
        && [
            words::ESCALATED,
            words::BLIND,
            words::RECOVERED,
            words::UNPINNED,
            words::SPEC_CHANGED,
        ]
        .contains(&entry.reason.as_str())
}

#[cfg(test)]
mod kills;
#[cfg(test)]
mod tests;
