//! What status says: made from where the policy stands, written only when something in it changed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::Api;

use super::apply::post_params;
use super::context::Context;
use super::error::{ApiError, call};
use super::hand::NoHold;
use super::record::{Entry, Record};
use super::standing::Standing;
use crate::api::conditions::{self as c, cut, set_condition};
use crate::api::{self, BotDegradationPolicy, BotDegradationPolicyStatus, MAX_SENTENCE, MAX_WORD};
use crate::plan::{Baseline, Kept, Published, Refusal};
use crate::policy::{LevelNumber, Policy};
use crate::time::Time;

/// What came of carrying a level out.
pub struct Outcome<'a> {
    /// The flags as published; `None` where none of ours are.
    pub published: Option<&'a Published>,
    /// Whether the flags could not be written: those that status tells of stand.
    pub flags_failed: bool,
    /// What could not be carried out.
    pub refusals: &'a [Refusal],
    /// Whether something failed that is tried again: whether the policy is Ready is not known yet.
    pub pending: bool,
    /// The generation of the object that all this is about.
    pub generation: i64,
    /// Why the pin annotations pin nothing.
    pub pin_problem: Option<&'a NoHold>,
}

/// The status of a policy that stands somewhere. With no outcome yet it says what is about to be done:
/// levels and baselines are written down before they are acted on.
pub fn status(
    object: &BotDegradationPolicy,
    standing: &Standing,
    baselines: &[Baseline],
    outcome: Option<&Outcome<'_>>,
    now: Time,
) -> BotDegradationPolicyStatus {
    let (policy, record) = (&standing.policy, &standing.record);
    let mut status = object.status.clone().unwrap_or_default();
    status.level = number(record.level);
    policy
        .level_name(record.level)
        .clone_into(&mut status.level_name);
    status.desired_level = number(record.desired);
    status.since = record.since.map(Into::into);
    cut(&record.cause(), MAX_SENTENCE).clone_into(&mut status.reason);
    status.level_names = policy
        .levels
        .iter()
        .map(|level| level.name.clone())
        .collect();
    status.baseline = baselines.iter().map(baseline).collect();
    status.pin = pin(policy, record);
    status.damping = damping(standing);
    status.blind_since = standing.unknown_since().map(Into::into);
    status.history = record.history.iter().map(history).collect();
    if let Some(outcome) = outcome {
        if !outcome.flags_failed {
            status.flags = outcome.published.map(|published| api::FlagsStatus {
                config_map: policy.config_map.clone(),
                epoch: published.epoch,
                hash: published.hash.clone(),
            });
        }
        if !outcome.pending || !outcome.refusals.is_empty() {
            status.observed_generation = Some(outcome.generation);
            set_ready(
                &mut status.conditions,
                outcome.refusals,
                outcome.generation,
                now,
            );
        }
        set_others(&mut status.conditions, standing, outcome, now);
    }
    status
}

/// Ready: True, or the first refusal's reason and the sentences of all.
pub fn set_ready(
    conditions: &mut Vec<Condition>,
    refusals: &[Refusal],
    generation: i64,
    now: Time,
) {
    let (reason, message) = match refusals.first() {
        None => (
            c::RECONCILED,
            "the policy is understood and carried out".to_owned(),
        ),
        Some(first) => {
            let all: Vec<&str> = refusals
                .iter()
                .map(|refusal| refusal.message.as_str())
                .collect();
            (first.reason, all.join("; "))
        }
    };
    set_condition(
        conditions,
        c::READY,
        refusals.is_empty(),
        reason,
        &message,
        Some(generation),
        now.to_timestamp(),
    );
}

fn set_others(
    conditions: &mut Vec<Condition>,
    standing: &Standing,
    outcome: &Outcome<'_>,
    now: Time,
) {
    let (policy, record, generation) =
        (&standing.policy, &standing.record, Some(outcome.generation));
    let mut set = |kind, status, reason: &str, message: &str| {
        set_condition(
            conditions,
            kind,
            status,
            reason,
            message,
            generation,
            now.to_timestamp(),
        );
    };
    let level = format!(
        "level {} ({}): {}",
        record.level,
        policy.level_name(record.level),
        record.cause()
    );
    set(
        c::DEGRADED,
        record.level > 0,
        if record.level > 0 {
            record.word()
        } else {
            c::NORMAL
        },
        &level,
    );
    match (&record.blind, standing.was_blind) {
        (Some(cause), _) => set(
            c::METRICS_AVAILABLE,
            false,
            cause.class.as_str(),
            &format!(
                "{}: {} for longer than missing.after; the level is not taken back",
                cause.signal, cause.class
            ),
        ),
        (None, true) => set(
            c::METRICS_AVAILABLE,
            true,
            c::SIGNALS_RETURNED,
            "every signal that is compared can be read again",
        ),
        (None, false) => set(
            c::METRICS_AVAILABLE,
            true,
            c::SIGNALS_KNOWN,
            "no signal that is compared has been unreadable for missing.after",
        ),
    }
    match (&record.pin, outcome.pin_problem) {
        (Some(pin), _) => set(c::PINNED, true, c::PIN_HOLDS, &pin.sentence(policy)),
        (None, Some(problem)) => set(c::PINNED, false, problem.reason, &problem.message),
        (None, None) => set(c::PINNED, false, c::NO_PIN, "no pin holds"),
    }
    if standing.memory.damping.held_since.is_some() {
        set(
            c::FLAPPING,
            true,
            c::RECOVERY_HELD,
            "the level went up and down too often: recovery is held for a while",
        );
    } else {
        set(c::FLAPPING, false, c::STEADY, "the level is steady");
    }
}

/// Writes a status, where it differs from the object's. The version fences it; we are its only writer,
/// so after a conflict it is sent again with the new one.
pub async fn write(
    context: &Context,
    object: &BotDegradationPolicy,
    status: BotDegradationPolicyStatus,
) -> Result<BotDegradationPolicy, ApiError> {
    let mut object = object.clone();
    let api: Api<BotDegradationPolicy> = Api::namespaced(
        context.client.clone(),
        &object.namespace().unwrap_or_default(),
    );
    for _ in 0..3 {
        if object.status.as_ref() == Some(&status) {
            return Ok(object);
        }
        let (name, uid) = (object.name_any(), object.uid());
        object.status = Some(status.clone());
        let result = call(api.replace_status(&name, &post_params(), &object)).await;
        context.metrics.wrote("status", result.is_ok());
        match result {
            Err(ApiError::Changed) => {}
            other => return other,
        }
        object = call(api.get(&name)).await?;
        if object.uid() != uid {
            return Err(ApiError::NotFound);
        }
    }
    Err(ApiError::Changed)
}

fn number(level: LevelNumber) -> i32 {
    i32::try_from(level).unwrap_or(i32::MAX)
}

/// A baseline as status has it.
pub fn baseline(baseline: &Baseline) -> api::Baseline {
    let (autoscaler, scaled_object) = match &baseline.autoscaler {
        None => (None, None),
        Some(Kept::Bounds { name, bounds }) => {
            let kept = api::AutoscalerBaseline {
                name: name.clone(),
                min_replicas: Some(bounds.min),
                max_replicas: bounds.max,
            };
            (Some(kept), None)
        }
        Some(Kept::Paused { name, before }) => {
            let kept = api::ScaledObjectBaseline {
                name: name.clone(),
                paused_replicas: before.clone(),
            };
            (None, Some(kept))
        }
    };
    api::Baseline {
        kind: baseline.workload.kind,
        name: baseline.workload.name.clone(),
        replicas: baseline.replicas,
        applied: baseline.applied,
        autoscaler,
        scaled_object,
        set_backs: baseline.set_backs.iter().map(|at| (*at).into()).collect(),
        contested_by: baseline
            .contested_by
            .as_deref()
            .map(|manager| cut(manager, 128).to_owned()),
    }
}

fn pin(policy: &Policy, record: &Record) -> Option<api::PinStatus> {
    record.pin.as_ref().map(|pin| api::PinStatus {
        level: policy.level_name(pin.level).to_owned(),
        until: Some(pin.until.into()),
        reason: Some(cut(&pin.reason, MAX_SENTENCE).to_owned()),
    })
}

fn damping(standing: &Standing) -> Option<api::DampingStatus> {
    let damping = &standing.memory.damping;
    damping.at.map(|at| api::DampingStatus {
        penalty: damping.penalty.to_string(),
        at: Some(at.into()),
        held_since: damping.held_since.map(Into::into),
    })
}

fn history(entry: &Entry) -> api::HistoryEntry {
    let word = |text: &Option<String>| text.as_deref().map(|text| cut(text, MAX_WORD).to_owned());
    api::HistoryEntry {
        at: entry.at.into(),
        from: number(entry.from),
        to: number(entry.to),
        signal: word(&entry.signal),
        value: word(&entry.value),
        threshold: word(&entry.threshold),
        reason: entry.reason.clone(),
        by: Some(entry.by.clone()),
    }
}
