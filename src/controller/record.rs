//! What status tells of the levels: where the policy stands, since when, and how it got there.
//! Pure; kept beside what deciding remembers, since a person reads this and `decide` does not.

use std::collections::VecDeque;

use super::hand::Pin;
use crate::api::conditions;
use crate::decide::{Decision, Memory, Reading, Reason, Transition, Unknown};
use crate::policy::{LevelNumber, Mode, Policy};
use crate::time::Time;

/// Where a policy stands and how it got there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The level applied: after `maxLevel`, pin and mode. 0 where nothing is applied.
    pub level: LevelNumber,
    /// The level decided on.
    pub desired: LevelNumber,
    /// When `level` was reached; `None` before the first change.
    pub since: Option<Time>,
    /// The last transitions, oldest first.
    pub history: VecDeque<Entry>,
    /// The signal and class that made the policy blind, while it is.
    pub blind: Option<BlindCause>,
    /// The pin, while it holds.
    pub pin: Option<Pin>,
}

/// One transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// The level before.
    pub from: LevelNumber,
    /// The level after.
    pub to: LevelNumber,
    /// The signal that caused it.
    pub signal: Option<String>,
    /// Its reading.
    pub value: Option<String>,
    /// The threshold that it passed, as written.
    pub threshold: Option<String>,
    /// The machine's word.
    pub reason: String,
    /// Who: [`words::BY_POLICY`], `pin` or `spec`.
    pub by: String,
}

/// What made a policy blind: as it was when that began, so that it does not change by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindCause {
    /// The signal.
    pub signal: String,
    /// The class of its reading.
    pub class: Unknown,
}

/// The words of history.
pub mod words {
    /// A rung fired.
    pub const ESCALATED: &str = "Escalated";
    /// Blindness fired `missing.then`.
    pub const BLIND: &str = "Blind";
    /// One rung was taken back.
    pub const RECOVERED: &str = "Recovered";
    /// A pin began.
    pub const PINNED: &str = "Pinned";
    /// A pin ended; deciding goes on from the pinned level.
    pub const UNPINNED: &str = "Unpinned";
    /// The ladder changed, and with it the level.
    pub const SPEC_CHANGED: &str = "SpecChanged";
    /// The level is applied differently: mode or maxLevel changed.
    pub const MODE_CHANGED: &str = "ModeChanged";
    /// Decided by the policy itself.
    pub const BY_POLICY: &str = "policy";
}

/// How many transitions are kept.
const HISTORY_LIMIT: usize = crate::api::MAX_HISTORY;

impl Record {
    /// Takes in what a tick concluded. True where something that status shows has changed.
    pub fn decided(
        &mut self,
        policy: &Policy,
        memory: &Memory,
        decision: &Decision,
        readings: &[Reading],
    ) -> bool {
        let before = (self.level, self.desired, self.blind.is_some());
        if let Some(transition) = decision.transition {
            self.push(entry(policy, decision.at, transition));
        }
        self.desired = memory.level;
        self.apply(applied(policy, memory), decision.at);
        self.blind = decision.blind.map(|signal| {
            self.blind.take().unwrap_or_else(|| BlindCause {
                signal: policy.signals[signal].name.clone(),
                class: class(readings[signal]),
            })
        });
        decision.transition.is_some() || before != (self.level, self.desired, self.blind.is_some())
    }

    /// Takes in that a person moved the level by a pin.
    pub fn moved(&mut self, policy: &Policy, memory: &Memory, at: Time, why: &str, by: &str) {
        let to = applied(policy, memory);
        let from = self.level;
        self.push(by_hand(at, from, to, why, by));
        self.desired = memory.level;
        self.apply(to, at);
    }

    /// Takes in that the spec changed; writes history only where that changed a level.
    pub fn settle(&mut self, policy: &Policy, memory: &Memory, at: Time, why: &str) {
        let to = applied(policy, memory);
        if to != self.level || memory.level != self.desired || why == words::SPEC_CHANGED {
            self.push(by_hand(at, self.level, to, why, "spec"));
        }
        self.desired = memory.level;
        self.apply(to, at);
    }

    fn apply(&mut self, level: LevelNumber, at: Time) {
        if level != self.level {
            self.since = Some(at);
            self.level = level;
        }
    }

    fn push(&mut self, entry: Entry) {
        self.history.push_back(entry);
        while self.history.len() > HISTORY_LIMIT {
            // The oldest goes, but for the one that tells how the present level was reached.
            let reached = |entry: &Entry| Some(entry.at) == self.since;
            let oldest = self.history.iter().position(|entry| !reached(entry));
            self.history.remove(oldest.unwrap_or_default());
        }
    }

    /// Why the level is what it is, for a person: made from history alone, so that a restart says the
    /// same.
    pub fn cause(&self) -> String {
        if self.level == 0 && self.pin.is_none() {
            return "Normal".to_owned();
        }
        let reached = self.reached();
        reached.map_or_else(|| "as before".to_owned(), |entry| self.cause_of(entry))
    }

    /// The machine's word for the same.
    pub fn word(&self) -> &str {
        self.reached()
            .map_or(conditions::HOLDING, |entry| &entry.reason)
    }

    /// The entry that tells why the level is what it is: how it was reached, or the hand that was laid
    /// on it or taken off since.
    fn reached(&self) -> Option<&Entry> {
        let by_hand = |entry: &Entry| [words::PINNED, words::UNPINNED].contains(&&*entry.reason);
        let since = self.since.unwrap_or_default();
        let mut newest_first = self.history.iter().rev();
        newest_first
            .find(|entry| Some(entry.at) == self.since || entry.at >= since && by_hand(entry))
    }

    fn cause_of(&self, entry: &Entry) -> String {
        match (
            entry.reason.as_str(),
            &entry.signal,
            &entry.value,
            &entry.threshold,
        ) {
            (_, Some(signal), Some(value), Some(threshold)) => {
                let above = value.parse::<f64>().ok() > threshold.parse::<f64>().ok();
                format!(
                    "{signal} {value} {} {threshold}",
                    if above { "above" } else { "below" }
                )
            }
            (_, Some(signal), _, _) => {
                format!("blind: {signal} gives no reading that can be trusted")
            }
            (words::PINNED, ..) => match &self.pin {
                Some(pin) if !pin.reason.is_empty() => format!("pinned: {}", pin.reason),
                _ => "pinned".to_owned(),
            },
            (words::UNPINNED, ..) => "the pin is over; recovering from there".to_owned(),
            (words::RECOVERED, ..) => {
                format!("recovering one level at a time, from level {}", entry.from)
            }
            (words::SPEC_CHANGED, ..) => "the spec changed".to_owned(),
            _ => "the mode or maxLevel changed".to_owned(),
        }
    }
}

/// The level that is applied: nothing under `DryRun`.
pub fn applied(policy: &Policy, memory: &Memory) -> LevelNumber {
    if policy.mode == Mode::DryRun {
        return 0;
    }
    let level = memory.pinned.unwrap_or(memory.level);
    policy.max_level.map_or(level, |max| level.min(max))
}

/// The word of a transition.
pub fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Blind => words::BLIND,
        Reason::Recovered => words::RECOVERED,
        _ => words::ESCALATED,
    }
}

fn entry(policy: &Policy, at: Time, transition: Transition) -> Entry {
    let comparison = transition.cause.and_then(|cause| {
        let rung = policy.rung(cause.level)?;
        Some((rung.when.comparisons.get(cause.comparison)?, cause.value))
    });
    Entry {
        signal: transition
            .signal
            .map(|signal| policy.signals[signal].name.clone()),
        value: comparison.map(|(_, value)| value.to_string()),
        threshold: comparison.map(|(comparison, _)| comparison.threshold_text.clone()),
        ..by_hand(
            at,
            transition.from,
            transition.to,
            word(transition.reason),
            words::BY_POLICY,
        )
    }
}

fn by_hand(at: Time, from: LevelNumber, to: LevelNumber, reason: &str, by: &str) -> Entry {
    Entry {
        at,
        from,
        to,
        signal: None,
        value: None,
        threshold: None,
        reason: reason.to_owned(),
        by: by.to_owned(),
    }
}

fn class(reading: Reading) -> Unknown {
    match reading {
        Reading::Unknown(class) => class,
        // A blind signal is Unknown by definition.
        Reading::Value(_) => Unknown::Empty,
    }
}

#[cfg(test)]
mod tests;
