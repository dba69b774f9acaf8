//! After a restart: level, damping and blindness come back from status, the timers by replaying the
//! last minutes from Prometheus through `decide` itself, at the levels in history and without making
//! transitions.

use std::collections::VecDeque;

use super::record::{BlindCause, Entry, Record, applied, words};
use crate::api::{BotDegradationPolicyStatus, HistoryEntry, conditions};
use crate::decide::{Damping, Memory, Reading, decide, level_after_edit};
use crate::plan::{Baseline, Refusal};
use crate::policy::{LevelNumber, Mode, Policy, Workload};
use crate::time::{Span, Time};

/// A standing's parts as status remembers them.
pub struct Remembered {
    /// What deciding remembers, but for the timers.
    pub memory: Memory,
    /// What status tells of the levels.
    pub record: Record,
    /// The baselines.
    pub baselines: Vec<Baseline>,
    /// Whether the policy has been blind since status began.
    pub was_blind: bool,
    /// Since when a signal has been Unknown.
    pub unknown_since: Option<Time>,
    /// The signal whose query the server rejected, by index.
    pub rejected: Option<usize>,
    /// The generation that all this was said of.
    pub generation: Option<i64>,
}

impl Remembered {
    /// Of a policy that is new.
    pub fn nothing(policy: &Policy) -> Self {
        let mut memory = Memory::new(policy);
        memory.applied = (policy.mode != Mode::DryRun).then_some(0);
        Self {
            memory,
            record: Record::default(),
            baselines: Vec::new(),
            was_blind: false,
            unknown_since: None,
            rejected: None,
            generation: None,
        }
    }
}

/// Reads status.
pub fn remember(policy: &Policy, status: &BotDegradationPolicyStatus) -> Remembered {
    let new: Vec<&str> = policy
        .levels
        .iter()
        .map(|level| level.name.as_str())
        .collect();
    let old: Vec<&str> = status.level_names.iter().map(String::as_str).collect();
    let renumber = |level: i32| {
        let level = LevelNumber::try_from(level).unwrap_or(0);
        if old.is_empty() {
            level.min(new.len())
        } else {
            level_after_edit(&old, &new, level)
        }
    };
    let history: VecDeque<Entry> = status.history.iter().map(entry).collect();
    let mut memory = Memory::new(policy);
    memory.level = renumber(status.desired_level);
    let decided = history
        .iter()
        .rev()
        .find(|entry| moves_decision(&entry.reason));
    memory.since = decided.map(|entry| entry.at);
    memory.recovered_at = decided
        .filter(|entry| entry.reason == words::RECOVERED)
        .map(|entry| entry.at);
    memory.damping = damping(status);
    memory.pinned = status
        .pin
        .as_ref()
        .and_then(|pin| policy.level_named(&pin.level));
    memory.applied = (policy.mode != Mode::DryRun).then(|| applied(policy, &memory));
    memory.last_blind = last_blind(policy, status);
    let available = condition(status, conditions::METRICS_AVAILABLE);
    let record = Record {
        level: renumber(status.level),
        desired: memory.level,
        since: status.since.map(Time::from),
        history,
        blind: available
            .filter(|condition| condition.status == "False")
            .and_then(blind_cause),
        pin: None,
    };
    Remembered {
        was_blind: available
            .is_some_and(|c| c.status == "False" || c.reason == conditions::SIGNALS_RETURNED),
        unknown_since: status.blind_since.map(Time::from),
        rejected: rejected(policy, status),
        generation: status.observed_generation,
        baselines: status.baseline.iter().map(baseline).collect(),
        memory,
        record,
    }
}

/// Whether the ladder changed while nobody looked, so that the level's name is another one now.
pub fn moved(policy: &Policy, status: &BotDegradationPolicyStatus) -> bool {
    let old = LevelNumber::try_from(status.desired_level)
        .unwrap_or(0)
        .checked_sub(1);
    let old = old.and_then(|i| status.level_names.get(i));
    let Some(old) = old else { return false };
    policy.level_named(old).is_none()
}

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
    let before = record
        .history
        .iter()
        .rev()
        .find(|entry| entry.at <= at)
        .map(|entry| entry.to);
    let after = || {
        record
            .history
            .iter()
            .find(|entry| entry.at > at)
            .map(|entry| entry.from)
    };
    let level = before.or_else(after).unwrap_or(record.level);
    Some(
        policy
            .max_level
            .map_or(level, |max| level.min(max))
            .min(policy.top()),
    )
}

/// The level that had been decided on at a time, by history.
pub fn decided_at(policy: &Policy, record: &Record, at: Time) -> LevelNumber {
    let decisions = || {
        record
            .history
            .iter()
            .filter(|entry| moves_decision(&entry.reason))
    };
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

fn moves_decision(reason: &str) -> bool {
    [
        words::ESCALATED,
        words::BLIND,
        words::RECOVERED,
        words::UNPINNED,
        words::SPEC_CHANGED,
    ]
    .contains(&reason)
}

fn damping(status: &BotDegradationPolicyStatus) -> Damping {
    let Some(kept) = &status.damping else {
        return Damping::default();
    };
    Damping {
        penalty: kept.penalty.parse().unwrap_or(0.0),
        at: kept.at.map(Time::from),
        held_since: kept.held_since.map(Time::from),
    }
}

/// Conditions keep whole seconds: with an interval of whole seconds this is the very tick.
fn last_blind(policy: &Policy, status: &BotDegradationPolicyStatus) -> Option<Time> {
    let available = condition(status, conditions::METRICS_AVAILABLE)?;
    let returned = available.status == "True" && available.reason == conditions::SIGNALS_RETURNED;
    returned.then(|| Time::from(available.last_transition_time.0) - policy.interval)
}

/// Known again by the sentence that says so.
fn rejected(policy: &Policy, status: &BotDegradationPolicyStatus) -> Option<usize> {
    let ready = condition(status, conditions::READY)?;
    let said = |signal: &usize| ready.message.contains(&rejection(policy, *signal).message);
    (0..policy.signals.len()).find(said)
}

/// The server does not know a construct of a signal's query.
pub fn rejection(policy: &Policy, signal: usize) -> Refusal {
    let name = &policy.signals[signal].name;
    Refusal {
        reason: conditions::QUERY_REJECTED,
        message: format!(
            "the source {} does not understand the query of the signal {name}: \
             use constructs that its version knows",
            policy.source
        ),
    }
}

fn blind_cause(
    condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition,
) -> Option<BlindCause> {
    let class = condition.reason.parse().ok()?;
    let signal = condition.message.split(':').next()?.to_owned();
    Some(BlindCause { signal, class })
}

fn condition<'a>(
    status: &'a BotDegradationPolicyStatus,
    kind: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
}

fn entry(kept: &HistoryEntry) -> Entry {
    let level = |level: i32| LevelNumber::try_from(level).unwrap_or(0);
    Entry {
        at: Time::from(kept.at),
        from: level(kept.from),
        to: level(kept.to),
        signal: kept.signal.clone(),
        value: kept.value.clone(),
        threshold: kept.threshold.clone(),
        reason: kept.reason.clone(),
        by: kept.by.clone().unwrap_or_default(),
    }
}

fn baseline(kept: &crate::api::Baseline) -> Baseline {
    Baseline {
        workload: Workload {
            kind: kept.kind,
            name: kept.name.clone(),
        },
        replicas: kept.replicas,
        applied: kept.applied,
        contested_by: kept.contested_by.clone(),
    }
}

#[cfg(test)]
mod tests;
