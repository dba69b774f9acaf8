//! After a restart: level, damping and blindness come back from status, the timers by replaying the
//! last minutes from Prometheus through `decide` itself, at the levels in history and without making
//! transitions.

use std::collections::VecDeque;

use super::record::{BlindCause, Entry, Record, applied, words};
use crate::api::{BotDegradationPolicyStatus, HistoryEntry, conditions};
use crate::decide::{Damping, Memory, Reading, level_after_edit, observe};
use crate::plan::Baseline;
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
}

/// Reads status.
pub fn remember(policy: &Policy, status: &BotDegradationPolicyStatus) -> Remembered {
    let new: Vec<&str> = policy.levels.iter().map(|level| level.name.as_str()).collect();
    let old: Vec<&str> = status.level_names.iter().map(String::as_str).collect();
    let renumber = |level: i32| {
        let level = LevelNumber::try_from(level).unwrap_or(0);
        if old.is_empty() { level.min(new.len()) } else { level_after_edit(&old, &new, level) }
    };
    let history: VecDeque<Entry> = status.history.iter().map(entry).collect();
    let mut memory = Memory::new(policy);
    memory.level = renumber(status.desired_level);
    let decided = history.iter().rev().find(|entry| moves_decision(&entry.reason));
    memory.since = decided.map(|entry| entry.at);
    memory.recovered_at = decided.filter(|entry| entry.reason == words::RECOVERED).map(|entry| entry.at);
    memory.damping = damping(status);
    memory.pinned = status.pin.as_ref().and_then(|pin| policy.level_named(&pin.level));
    memory.applied = (policy.mode != Mode::DryRun).then(|| applied(policy, &memory));
    memory.last_blind = last_blind(policy, status);
    let available = condition(status, conditions::METRICS_AVAILABLE);
    let record = Record {
        level: renumber(status.level),
        desired: memory.level,
        since: status.since.map(Time::from),
        history,
        blind: available.filter(|condition| condition.status == "False").and_then(blind_cause),
        pin: None,
    };
    Remembered {
        was_blind: available.is_some_and(|c| c.status == "False" || c.reason == conditions::SIGNALS_RETURNED),
        unknown_since: status.blind_since.map(Time::from),
        baselines: status.baseline.iter().map(baseline).collect(),
        memory,
        record,
    }
}

/// How much of the past the timers need: enough for the longest `for` and, above Normal, for recovery,
/// twice over since an Unknown reading stops the one and not the other.
pub fn window(policy: &Policy, level: LevelNumber) -> Span {
    let hold = policy.comparisons().map(|comparison| comparison.hold).max().unwrap_or(Span::ZERO);
    let recovery = if level > 0 { policy.recovery.after } else { Span::ZERO };
    hold.max(recovery).times(2) + policy.missing.after + policy.interval.times(4)
}

/// The level that was applied at a time, by history: what `observe` needs for the empty room.
pub fn applied_at(policy: &Policy, record: &Record, at: Time) -> Option<LevelNumber> {
    if policy.mode == Mode::DryRun {
        return None;
    }
    let before = record.history.iter().rev().find(|entry| entry.at <= at).map(|entry| entry.to);
    let after = || record.history.iter().find(|entry| entry.at > at).map(|entry| entry.from);
    let level = before.or_else(after).unwrap_or(record.level);
    Some(policy.max_level.map_or(level, |max| level.min(max)).min(policy.top()))
}

/// Takes one past tick into the timers.
pub fn replay(policy: &Policy, record: &Record, memory: &mut Memory, at: Time, readings: &[Reading]) {
    // What was applied at the tick before decides on the empty room at this one.
    memory.applied = applied_at(policy, record, at - Span::from_millis(1));
    observe(policy, readings, memory, at);
}

/// After the past has been replayed: the present's facts stand over it.
pub fn conclude(policy: &Policy, memory: &mut Memory, remembered: &Memory, unknown_since: Option<Time>) {
    memory.applied = remembered.applied;
    memory.last_blind = memory.last_blind.max(remembered.last_blind);
    // What the source did not answer to us then, it may well answer about now: its own account of the
    // past must not make blindness any later.
    let Some(since) = unknown_since else { return };
    for (signal, rebuilt) in policy.signals.iter().zip(&mut memory.signals) {
        let unanswered = rebuilt.unknown_since.is_some() || memory.comparisons.iter().all(|c| c.last_known.is_none());
        if unanswered {
            let _ = &signal.name;
            rebuilt.unknown_since = Some(rebuilt.unknown_since.map_or(since, |own| own.min(since)));
        }
    }
}

fn moves_decision(reason: &str) -> bool {
    [words::ESCALATED, words::BLIND, words::RECOVERED, words::UNPINNED, words::SPEC_CHANGED].contains(&reason)
}

fn damping(status: &BotDegradationPolicyStatus) -> Damping {
    let Some(kept) = &status.damping else { return Damping::default() };
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

fn blind_cause(condition: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition) -> Option<BlindCause> {
    let class = condition.reason.parse().ok()?;
    let signal = condition.message.split(':').next()?.to_owned();
    Some(BlindCause { signal, class })
}

fn condition<'a>(
    status: &'a BotDegradationPolicyStatus,
    kind: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
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
        workload: Workload { kind: kept.kind, name: kept.name.clone() },
        replicas: kept.replicas,
        contested_by: kept.contested_by.clone(),
    }
}
