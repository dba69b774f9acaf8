//! One policy, brought to where it should be: observe, decide, plan, apply, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;

use super::apply::{Applied, Applier};
use super::context::Context;
use super::error::ApiError;
use super::observe::{self, Observed};
use super::report::{self, Outcome};
use super::standing::Notice;
use super::understand::{Understood, key, understand};
use super::watches::Guarded;
use super::{admit, events, finalizer, former, gauges, release, takeover, verify};
use crate::api::{BotDegradationPolicy, BotDegradationPolicyStatus, MAX_SENTENCE, conditions};
use crate::plan::{Plan, Refusal, Situation, Wanted, plan};
use crate::policy::{Mode, Policy, Workload};
use crate::prometheus::poller::PolicyKey;

/// How soon a policy that is not Ready is looked at again: what it waits for need not be watched.
const NOT_READY_AGAIN: Duration = Duration::from_secs(15);

/// Reconciles one policy.
///
/// # Guarantees
///
/// - With nothing changed, nothing is written.
/// - Level and baselines are in status before they are acted on; a crash after any write is made good
///   by the next run.
/// - Nothing that is wrong with this policy reaches another.
pub async fn reconcile(guarded: Arc<Guarded>, context: Arc<Context>) -> Result<Action, ApiError> {
    let started = Instant::now();
    let action = steps(&guarded, &context).await;
    context
        .metrics
        .reconcile_duration
        .observe(started.elapsed().as_secs_f64());
    action
}

async fn steps(guarded: &Guarded, context: &Arc<Context>) -> Result<Action, ApiError> {
    let object = match &guarded.0 {
        Ok(object) => newest(context, object),
        Err(invalid) => {
            let name = invalid.metadata.name.as_deref().unwrap_or_default();
            let namespace = invalid.metadata.namespace.as_deref().unwrap_or_default();
            tracing::error!(namespace, policy = name, error = %invalid.error, "a policy cannot be read; its level holds");
            return release::release_unreadable(context, guarded).await;
        }
    };
    let Some(object) = takeover::read_again(context, object).await? else {
        return Ok(Action::await_change());
    };
    if object.metadata.deletion_timestamp.is_some() {
        return release::release(context, &object).await;
    }
    let object = finalizer::ensure(context, &object).await?;
    let key = key(&object);
    let (policy, admitted) = match understood(context, &key, &object).await? {
        Ok(understood) => {
            let policy = Arc::clone(&understood.policy);
            context.sources.settled(&policy.source).await;
            (policy, admit::admit(context, &object, understood))
        }
        Err(refusals) => match admit::hold(context, &object, &refusals) {
            Some(held) => held,
            None => return refuse(context, &object, &refusals).await,
        },
    };
    let observed = observe::observe(context, &object, &policy, &key).await?;
    take_back_what_came_late(context, &key, &observed);
    let Some(mut plan) = make_plan(context, &key, &policy, &object, &observed) else {
        return Ok(Action::await_change());
    };
    let unsure = verify::new_baselines(context, &key, &mut plan).await;
    let object = write_ahead(context, &key, object, &plan).await?;
    let unread = observed.retry.or(unsure);
    let mut applied = carry_out(context, &object, &policy, &plan, unread).await;
    applied.absorb(former::let_go(context, &object, &policy).await);
    let (ready, retry) = settle(context, &key, object, &plan, applied, &admitted).await?;
    if let Some(err) = retry {
        return Err(err);
    }
    let now = context.now();
    let waits = [
        admitted.pin_ends.map(|at| (at - now).to_duration()),
        (!ready).then_some(NOT_READY_AGAIN),
        may_be_paused(context, &key).then(|| policy.interval.to_duration()),
    ];
    let next = waits.into_iter().flatten().min();
    Ok(next.map_or_else(Action::await_change, Action::requeue))
}

/// Understands the spec, away from the threads that tick: a hostile query takes its time. A spec that
/// has not changed, nor whose series it may read, is not read again.
async fn understood(
    context: &Context,
    key: &PolicyKey,
    object: &BotDegradationPolicy,
) -> Result<Result<Understood, Vec<Refusal>>, ApiError> {
    let tenant = match context.sources.tenant(&object.spec.source, &key.namespace) {
        Ok(tenant) => tenant,
        Err(refusal) => return Ok(Err(vec![refusal])),
    };
    let known = context.standings.with(key, |standing| {
        let same = Some(&standing.uid) == object.metadata.uid.as_ref()
            && Some(standing.generation) == object.metadata.generation
            && standing.tenant == tenant
            && standing.queries.len() == standing.policy.signals.len();
        same.then(|| Understood {
            policy: Arc::clone(&standing.policy),
            queries: Arc::clone(&standing.queries),
            tenant: tenant.clone(),
        })
    });
    if let Some(known) = known.flatten() {
        return Ok(Ok(known));
    }
    let object = object.clone();
    tokio::task::spawn_blocking(move || understand(&object, tenant))
        .await
        .map_err(|_| ApiError::Stopping)
}

/// The object as the watch has it, or as it was first acted on or last written, whichever is newer.
fn newest(context: &Context, object: &BotDegradationPolicy) -> BotDegradationPolicy {
    let ours = context
        .standings
        .with(&key(object), |standing| standing.newer(object))
        .flatten();
    ours.map_or_else(|| object.clone(), |ours| (*ours).clone())
}

/// A spec that this process has never been able to use: what stands holds, and status says why.
async fn refuse(
    context: &Context,
    object: &BotDegradationPolicy,
    refusals: &[Refusal],
) -> Result<Action, ApiError> {
    let generation = object.metadata.generation.unwrap_or_default();
    let mut status: BotDegradationPolicyStatus = object.status.clone().unwrap_or_default();
    report::set_ready(&mut status.conditions, refusals, generation, context.now());
    status.observed_generation = Some(generation);
    gauges::set_ready(&context.metrics, &key(object), &status);
    let changed = object.status.as_ref() != Some(&status);
    report::write(context, object, status).await?;
    if changed {
        let notice = Notice {
            warning: true,
            reason: refusals
                .first()
                .map_or(conditions::INVALID_SPEC, |refusal| refusal.reason),
            action: "Refuse".to_owned(),
            note: refusals
                .iter()
                .map(|refusal| refusal.message.as_str())
                .collect::<Vec<_>>()
                .join("; "),
        };
        events::publish(context, object, vec![notice]).await;
    }
    Ok(Action::await_change())
}

/// The baselines of targets that a late write has moved are held again: the plan gives them back.
fn take_back_what_came_late(context: &Context, key: &PolicyKey, observed: &Observed) {
    let now = context.now();
    context.standings.with(key, |standing| {
        let alone = |workload: &Workload| !observed.shared.contains(workload);
        let moved =
            standing
                .handed_back
                .look(&observed.targets, &standing.baselines, alone, now);
        for baseline in &moved {
            let Workload { kind, name } = &baseline.workload;
            tracing::warn!(
                namespace = key.namespace,
                policy = key.name,
                "a write came late to {kind} {name}, which had been handed back: it is given back again"
            );
        }
        standing.baselines.extend(moved);
    });
}

fn make_plan(
    context: &Context,
    key: &PolicyKey,
    policy: &Policy,
    object: &BotDegradationPolicy,
    observed: &Observed,
) -> Option<Plan> {
    context.standings.with(key, |standing| {
        // a pin's reason is of any length, and all the bot's pods read it
        let reason = conditions::cut(&standing.record.cause(), MAX_SENTENCE).to_owned();
        let wanted = if policy.mode == Mode::DryRun {
            Wanted::HandBack
        } else {
            let (level, since) = (standing.record.level, standing.record.since);
            Wanted::Level {
                level,
                since,
                reason: &reason,
            }
        };
        plan(&Situation {
            policy,
            wanted,
            config_map: &observed.config_map,
            epoch: published_epoch(object),
            targets: &observed.targets,
            baselines: &standing.baselines,
            now: context.now(),
        })
    })
}

/// The highest epoch that status remembers.
pub fn published_epoch(object: &BotDegradationPolicy) -> i64 {
    let flags = object
        .status
        .as_ref()
        .and_then(|status| status.flags.as_ref());
    flags.map_or(0, |flags| flags.epoch)
}

/// Before the first write: level and baselines go into status. With no write to come there is nothing
/// to fear, and one report at the end says it all.
async fn write_ahead(
    context: &Context,
    key: &PolicyKey,
    object: BotDegradationPolicy,
    plan: &Plan,
) -> Result<BotDegradationPolicy, ApiError> {
    if plan.writes.is_empty() {
        return Ok(object);
    }
    let status = context.standings.with(key, |standing| {
        report::status(&object, standing, &plan.record, None, context.now())
    });
    match status {
        Some(status) => remember(context, key, report::write(context, &object, status).await),
        None => Ok(object),
    }
}

/// What could not be read is tried again too; recovering, the flags wait for it as for a failed write.
async fn carry_out(
    context: &Context,
    object: &BotDegradationPolicy,
    policy: &Policy,
    plan: &Plan,
    unread: Option<ApiError>,
) -> Applied {
    let applier = Applier {
        client: &context.client,
        metrics: &context.metrics,
        policy: object,
        config_map: &policy.config_map,
    };
    applier.apply_after(unread, plan).await
}

/// After the last write: what came of it goes into status and Events. True where the policy is Ready.
async fn settle(
    context: &Context,
    key: &PolicyKey,
    object: BotDegradationPolicy,
    plan: &Plan,
    mut applied: Applied,
    admitted: &admit::Admitted,
) -> Result<(bool, Option<ApiError>), ApiError> {
    let mut refusals: Vec<Refusal> = admitted
        .refusals
        .iter()
        .chain(&plan.refusals)
        .chain(&applied.refusals)
        .cloned()
        .collect();
    let made = context.standings.with(key, |standing| {
        refusals.extend(standing.failing.take_in(&applied));
        let baselines =
            plan.baselines_after(&applied.unrestored, &applied.outdated, &standing.baselines);
        for set_back in &plan.set_backs {
            standing.set_back(set_back);
        }
        for (workload, moved) in applied.moved.drain(..) {
            standing.moved(workload, moved);
        }
        standing.baselines.clone_from(&baselines);
        let before = std::mem::replace(&mut standing.refusals, refusals.clone());
        let outcome = Outcome {
            published: plan.published.as_ref(),
            flags_failed: applied.flags_failed,
            refusals: &refusals,
            pending: applied.retry.is_some(),
            generation: object.metadata.generation.unwrap_or_default(),
            pin_problem: admitted.pin_problem.as_ref(),
        };
        let status = report::status(&object, standing, &baselines, Some(&outcome), context.now());
        gauges::set(&context.metrics, key, standing, &status);
        let notices = std::mem::take(&mut standing.notices);
        (
            status,
            notices,
            events::refused(&object, &refusals, &before)
                .into_iter()
                .chain(events::pin_over(
                    &object,
                    standing,
                    admitted.pin_problem.as_ref(),
                )),
        )
    });
    let Some((status, notices, fresh)) = made else {
        return Ok((true, None));
    };
    let written = match remember(context, key, report::write(context, &object, status).await) {
        Ok(written) => written,
        Err(err) => {
            // They are published with the report that succeeds.
            context.standings.with(key, |standing| {
                standing.notices.splice(0..0, notices).count()
            });
            return Err(err);
        }
    };
    events::publish(
        context,
        &written,
        notices.into_iter().chain(fresh).collect(),
    )
    .await;
    Ok((refusals.is_empty(), applied.retry))
}

fn remember(
    context: &Context,
    key: &PolicyKey,
    written: Result<BotDegradationPolicy, ApiError>,
) -> Result<BotDegradationPolicy, ApiError> {
    let object = written?;
    context.standings.with(key, |standing| {
        standing.newest = Some(Arc::new(object.clone()));
    });
    Ok(object)
}

/// Whether a late write may still land on a `ScaledObject`, which is not watched.
fn may_be_paused(context: &Context, key: &PolicyKey) -> bool {
    let now = context.now();
    let pausable = context.standings.with(key, |standing| {
        standing.handed_back.any_pausable(&standing.baselines, now)
    });
    pausable.unwrap_or_default()
}
