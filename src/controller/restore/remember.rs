//! What status remembers of a policy that this process has not known.

use std::collections::VecDeque;

use super::moves_decision;
use crate::api::{BotDegradationPolicyStatus, HistoryEntry, conditions};
use crate::controller::record::{BlindCause, Entry, Record, applied, words};
use crate::decide::{Damping, Memory, level_after_edit};
use crate::plan::{Baseline, Bounds, Kept, Refusal};
use crate::policy::{LevelNumber, Mode, Policy, Workload};
use crate::time::Time;

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
    let decided = history.iter().rev().find(|entry| moves_decision(entry));
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

/// A level whose name is gone.
pub struct Moved {
    /// The rung at its place has a new name: it is the same rung.
    pub renamed: bool,
}

/// Whether the ladder changed while nobody looked, so that the level's name is another one now.
pub fn moved(policy: &Policy, status: &BotDegradationPolicyStatus) -> Option<Moved> {
    let level = LevelNumber::try_from(status.desired_level).unwrap_or(0);
    let old = status.level_names.get(level.checked_sub(1)?)?;
    if policy.level_named(old).is_some() {
        return None;
    }
    let here = policy.rung(level).map(|rung| &rung.name);
    let renamed = here.is_some_and(|name| !status.level_names.contains(name));
    Some(Moved { renamed })
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
    let returned_at = Time::from(available.last_transition_time.0).last_tick(policy.interval);
    returned.then(|| returned_at - policy.interval)
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
    let bounds = kept.autoscaler.as_ref().map(|kept| Kept::Bounds {
        name: kept.name.clone(),
        bounds: Bounds {
            min: kept.min_replicas.unwrap_or(1),
            max: kept.max_replicas,
        },
    });
    let paused = kept.scaled_object.as_ref().map(|kept| Kept::Paused {
        name: kept.name.clone(),
        before: kept.paused_replicas.clone(),
    });
    Baseline {
        workload: Workload {
            kind: kept.kind,
            name: kept.name.clone(),
        },
        replicas: kept.replicas,
        applied: kept.applied,
        autoscaler: bounds.or(paused),
        set_backs: kept.set_backs.iter().map(|at| Time::from(*at)).collect(),
        contested_by: kept.contested_by.clone(),
    }
}
