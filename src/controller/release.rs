//! A policy that is being deleted hands everything back: baselines restored, Normal published, the
//! `ConfigMap` let go, the finalizer taken off. It never blocks a namespace or a person.

use std::sync::Arc;

use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};

use super::apply::Applier;
use super::context::Context;
use super::error::ApiError;
use super::observe::{self, Observed};
use super::reconcile::published_epoch;
use super::restore::{self, Remembered};
use super::standing::{Phase, Standing};
use super::understand::{Understood, key};
use super::watches::Guarded;
use super::{finalizer, former, incomplete, report};
use crate::api::{BotDegradationPolicy, FINALIZER};
use crate::plan::{Baseline, Plan, Situation, Wanted, Write, plan};
use crate::policy::{Policy, from_spec, remains};
use crate::prometheus::poller::PolicyKey;
use crate::time::{Span, Time};

/// How long handing back may take before the policy is let go all the same.
pub(super) const PATIENCE: Span = Span::from_secs(120);

/// Hands everything back and lets the policy go.
pub async fn release(context: &Context, object: &BotDegradationPolicy) -> Result<Action, ApiError> {
    let key = key(object);
    context.sources.unsubscribe(&key);
    if !object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(Action::await_change());
    }
    let policy = policy(context, object, &key);
    let last = is_overdue(context, &key);
    match hand_back(context, object, &key, &policy, last).await {
        Ok(()) => {}
        Err(kept) if last => {
            let held: Vec<_> = kept.held.iter().map(report::baseline).collect();
            incomplete::tell(context, object, &kept.err.to_string(), &held).await;
        }
        Err(kept) => return Err(kept.err),
    }
    finalizer::remove(context, object).await?;
    forget(context, &key);
    Ok(Action::await_change())
}

/// A policy that cannot be read, as after a step back to an older operator, can hand nothing back; it
/// still must not block its namespace for ever.
pub async fn release_unreadable(context: &Context, object: &Guarded) -> Result<Action, ApiError> {
    let metadata = object.meta();
    let Some(deleted) = &metadata.deletion_timestamp else {
        return Ok(Action::await_change());
    };
    let waited = context.now() - Time::from(deleted.0);
    if waited <= PATIENCE {
        return Ok(Action::requeue((PATIENCE - waited).to_duration()));
    }
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        incomplete::tell(context, object, "this operator cannot read it", &[]).await;
    }
    finalizer::remove_unread(context, metadata).await?;
    Ok(Action::await_change())
}

/// Drops all that is remembered of a policy, and wakes those that it may have kept from something.
pub fn forget(context: &Context, key: &PolicyKey) {
    context.sources.unsubscribe(key);
    context.waiting.end(key);
    let waiting: Vec<PolicyKey> = {
        let mut standings = context.standings.lock();
        standings.remove(key);
        let same = standings
            .iter()
            .filter(|(other, _)| other.namespace == key.namespace);
        same.filter(|(_, standing)| !standing.refusals.is_empty())
            .map(|(other, _)| other.clone())
            .collect()
    };
    super::gauges::forget(context, key);
    for other in waiting {
        context.kick(&other);
    }
}

/// Not everything could be handed back.
struct Kept {
    err: ApiError,
    /// What could not.
    held: Vec<Baseline>,
}

/// Tries to. The `last` time the flags wait for no workload any more: what the bot can do does not hang on
/// what it is scaled to for ever.
async fn hand_back(
    context: &Context,
    object: &BotDegradationPolicy,
    key: &PolicyKey,
    policy: &Policy,
    last: bool,
) -> Result<(), Kept> {
    let held = context.standings.with(key, |it| it.baselines.clone());
    let before = held.unwrap_or_default();
    let observed = match observe::observe(context, object, policy, key).await {
        Ok(observed) => observed,
        Err(err) => return Err(Kept { err, held: before }),
    };
    let Some(plan) = make_plan(context, object, key, policy, &observed) else {
        return Ok(());
    };
    let applier = Applier {
        client: &context.client,
        metrics: &context.metrics,
        policy: object,
        config_map: &policy.config_map,
    };
    let mut outcome = applier.apply(&plan.writes).await;
    if last && outcome.flags_failed {
        let flags = plan.writes.iter().filter(|it| it.workload().is_none());
        let flags: Vec<Write> = flags.cloned().collect();
        applier.apply(&flags).await;
    }
    outcome.absorb(former::let_go(context, object, policy).await);
    let held = plan.baselines_after(&outcome.unrestored, &outcome.outdated, &before);
    let refusals = plan.refusals.into_iter().chain(outcome.refusals);
    let err = match (
        outcome.retry.or(observed.retry),
        refusals.into_iter().next(),
    ) {
        (Some(err), _) => err,
        (None, Some(refusal)) => ApiError::Forbidden(refusal.message),
        (None, None) => return Ok(()),
    };
    Err(Kept { err, held })
}

/// The policy as last understood, else what can be read of it: its spec may have become unusable since,
/// and status has the baselines all the same.
fn policy(context: &Context, object: &BotDegradationPolicy, key: &PolicyKey) -> Arc<Policy> {
    let uid = object.metadata.uid.as_ref();
    let known =
        |standing: &mut Standing| (Some(&standing.uid) == uid).then(|| standing.policy.clone());
    if let Some(policy) = context.standings.with(key, known).flatten() {
        return policy;
    }
    let policy = from_spec(&key.namespace, &key.name, &object.spec)
        .unwrap_or_else(|_| remains(&key.namespace, &key.name, &object.spec));
    let policy = Arc::new(policy);
    context
        .standings
        .lock()
        .insert(key.clone(), remembered(object, Arc::clone(&policy)));
    policy
}

/// Without queries: it is decided on no more.
fn remembered(object: &BotDegradationPolicy, policy: Arc<Policy>) -> Standing {
    let remembered = match &object.status {
        Some(status) => restore::remember(&policy, status),
        None => Remembered::nothing(&policy),
    };
    let understood = Understood {
        policy,
        queries: Arc::new([]),
        tenant: None,
    };
    Standing::new(object, understood, remembered, Phase::Resting)
}

fn make_plan(
    context: &Context,
    object: &BotDegradationPolicy,
    key: &PolicyKey,
    policy: &Policy,
    observed: &Observed,
) -> Option<Plan> {
    context.standings.with(key, |standing| {
        plan(&Situation {
            policy,
            wanted: Wanted::HandBack,
            config_map: &observed.config_map,
            epoch: published_epoch(object),
            targets: &observed.targets,
            baselines: &standing.baselines,
            now: context.now(),
        })
    })
}

/// Counted from this process's first attempt: a policy that was deleted long before it started has had
/// no chance yet.
fn is_overdue(context: &Context, key: &PolicyKey) -> bool {
    let now = context.now();
    let since = context.standings.with(key, |standing| {
        *standing.handing_back_since.get_or_insert(now)
    });
    since.is_some_and(|since| now - since > PATIENCE)
}
