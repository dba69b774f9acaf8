//! A policy that is being deleted hands everything back: baselines restored, Normal published, the
//! `ConfigMap` let go, the finalizer taken off. It never blocks a namespace or a person.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::controller::Action;

use super::apply::Applier;
use super::context::Context;
use super::error::ApiError;
use super::observe::{self, Observed};
use super::reconcile::published_epoch;
use super::restore::{self, Remembered};
use super::standing::{Notice, Phase, Standing};
use super::understand::{Understood, key};
use super::{events, finalizer, former};
use crate::api::{BotDegradationPolicy, FINALIZER};
use crate::plan::{Plan, Situation, Wanted, plan};
use crate::policy::{Policy, from_spec, remains};
use crate::prometheus::poller::PolicyKey;
use crate::time::{Span, Time};

/// How long handing back may take before the policy is let go all the same.
pub(super) const PATIENCE: Span = Span::from_secs(120);

/// Hands everything back and lets the policy go.
pub async fn release(context: &Context, object: &BotDegradationPolicy) -> Result<Action, ApiError> {
    use kube::ResourceExt;
    let key = key(object);
    context.sources.unsubscribe(&key);
    if !object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(Action::await_change());
    }
    match hand_back(context, object, &key).await {
        Ok(()) => {}
        Err(err) if overdue(context, &key) => give_up(context, object, &err).await,
        Err(err) => return Err(err),
    }
    finalizer::remove(context, object).await?;
    forget(context, &key);
    Ok(Action::await_change())
}

/// A policy that cannot be read, as after a step back to an older operator, can hand nothing back; it
/// still must not block its namespace for ever.
pub async fn release_unreadable(
    context: &Context,
    metadata: &ObjectMeta,
) -> Result<Action, ApiError> {
    let Some(deleted) = &metadata.deletion_timestamp else {
        return Ok(Action::await_change());
    };
    let waited = context.now() - Time::from(deleted.0);
    if waited <= PATIENCE {
        return Ok(Action::requeue((PATIENCE - waited).to_duration()));
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

async fn hand_back(
    context: &Context,
    object: &BotDegradationPolicy,
    key: &PolicyKey,
) -> Result<(), ApiError> {
    let policy = policy(context, object, key);
    let observed = observe::observe(context, object, &policy, key).await?;
    let Some(plan) = make_plan(context, object, key, &policy, &observed) else {
        return Ok(());
    };
    let applier = Applier {
        client: &context.client,
        metrics: &context.metrics,
        policy: object,
        config_map: &policy.config_map,
    };
    let mut outcome = applier.apply(&plan.writes).await;
    outcome.absorb(former::let_go(context, object, &policy).await);
    let refusals = plan.refusals.into_iter().chain(outcome.refusals);
    match (
        outcome.retry.or(observed.retry),
        refusals.into_iter().next(),
    ) {
        (Some(err), _) => Err(err),
        (None, Some(refusal)) => Err(ApiError::Forbidden(refusal.message)),
        (None, None) => Ok(()),
    }
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
fn overdue(context: &Context, key: &PolicyKey) -> bool {
    let now = context.now();
    let since = context.standings.with(key, |standing| {
        *standing.handing_back_since.get_or_insert(now)
    });
    since.is_some_and(|since| now - since > PATIENCE)
}

async fn give_up(context: &Context, object: &BotDegradationPolicy, err: &ApiError) {
    let note = format!("let go after {PATIENCE} without having handed everything back: {err}");
    tracing::error!(error = %err, "{note}");
    let notice = Notice {
        warning: true,
        reason: "RestoreIncomplete",
        action: "LetGo".to_owned(),
        note,
    };
    events::publish(context, object, vec![notice]).await;
}
