//! A policy that is understood gets, keeps or changes its standing, and is asked for at its source.

use std::sync::Arc;

use kube::ResourceExt;

use super::context::Context;
use super::hand::{self, NoHold, Pin};
use super::rebuild;
use super::record::words;
use super::restore::{self, Remembered};
use super::standing::{Phase, Standing};
use super::understand::{Understood, key};
use crate::api::{BotDegradationPolicy, BotDegradationPolicyStatus};
use crate::plan::Refusal;
use crate::policy::{Mode, Policy};
use crate::prometheus::advice::Threshold;
use crate::prometheus::poller::{PolicyKey, Subscription};
use crate::time::Time;

/// What admitting found out.
pub struct Admitted {
    /// What keeps the policy from being Ready.
    pub refusals: Vec<Refusal>,
    /// Why the pin annotations pin nothing.
    pub pin_problem: Option<NoHold>,
    /// When the pin that holds ends.
    pub pin_ends: Option<Time>,
}

impl Admitted {
    fn held(held: &Result<Option<Pin>, NoHold>) -> Self {
        Self {
            refusals: Vec::new(),
            pin_problem: held.as_ref().err().cloned(),
            pin_ends: held
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .map(|pin| pin.until),
        }
    }
}

/// Admits a policy.
pub fn admit(
    context: &Arc<Context>,
    object: &BotDegradationPolicy,
    understood: Understood,
) -> Admitted {
    let (key, now) = (key(object), context.now());
    let held = hand::holds(&understood.policy, object.annotations(), now);
    let mut admitted = Admitted::held(&held);
    let phase = {
        let mut standings = context.standings.lock();
        let standing = standings
            .remove(&key)
            .filter(|standing| Some(&standing.uid) == object.uid().as_ref());
        let mut standing = match standing {
            Some(mut standing) => {
                let generation = object.metadata.generation.unwrap_or_default();
                if standing.generation != generation || standing.tenant != understood.tenant {
                    standing.edit(understood, generation, now);
                }
                standing
            }
            None => begin(object, understood, now),
        };
        standing.hand(&held, now);
        if let Some(signal) = standing.rejected {
            let refusal = restore::rejection(&standing.policy, signal);
            admitted.refusals.push(refusal);
        }
        let phase = standing.phase;
        standings.insert(key.clone(), standing);
        phase
    };
    if let Err(refusal) = engage(context, &key, phase) {
        context.sources.unsubscribe(&key);
        context.standings.with(&key, Standing::wait_for_source);
        admitted.refusals.push(refusal);
    }
    admitted
}

/// A policy whose spec has become unusable goes on as it was last understood, but is not decided on:
/// flags and replicas are kept right, and a pin ends. `None` where this process has never understood it.
pub fn hold(
    context: &Context,
    object: &BotDegradationPolicy,
    refusals: &[Refusal],
) -> Option<(Arc<Policy>, Admitted)> {
    let (key, now) = (key(object), context.now());
    context.sources.unsubscribe(&key);
    let held = context.standings.with(&key, |standing| {
        if Some(&standing.uid) != object.uid().as_ref() {
            return None;
        }
        standing.rest();
        let policy = Arc::clone(&standing.policy);
        let held = hand::holds(&policy, object.annotations(), now);
        standing.hand(&held, now);
        let admitted = Admitted {
            refusals: refusals.to_vec(),
            ..Admitted::held(&held)
        };
        Some((policy, admitted))
    });
    held.flatten()
}

/// A policy that is new to this process: what status remembers of it, or nothing.
fn begin(object: &BotDegradationPolicy, understood: Understood, now: Time) -> Standing {
    let policy = Arc::clone(&understood.policy);
    // Also one that was written ahead of the first action only: its baselines count.
    let known = object.status.as_ref();
    let remembered = known.map(|status| restore::remember(&policy, status));
    let phase = if remembered.is_some() {
        Phase::Restoring
    } else {
        Phase::Deciding
    };
    let remembered = remembered.unwrap_or_else(|| Remembered::nothing(&policy));
    let mut standing = Standing::new(object, understood, remembered, phase);
    if known.is_some_and(|status| status.observed_generation != object.metadata.generation) {
        standing.end_contests();
    }
    if let Some(status) = known {
        settle_unseen_edit(&mut standing, status, now);
    }
    standing
}

/// An edit that was made while nobody looked counts as made now.
fn settle_unseen_edit(standing: &mut Standing, status: &BotDegradationPolicyStatus, now: Time) {
    let policy = Arc::clone(&standing.policy);
    let why = match restore::moved(&policy, status) {
        Some(moved) => {
            if !moved.renamed {
                standing.memory.since = Some(now);
                standing.memory.recovered_at = None;
            }
            words::SPEC_CHANGED
        }
        None => words::MODE_CHANGED,
    };
    standing.record.settle(&policy, &standing.memory, now, why);
}

/// Has the policy decided on, or its timers rebuilt first; a paused one rests.
fn engage(context: &Arc<Context>, key: &PolicyKey, phase: Phase) -> Result<(), Refusal> {
    let Some((policy, tenant, rebuilding)) = context.standings.with(key, |s| {
        (Arc::clone(&s.policy), s.tenant.clone(), s.rebuilding)
    }) else {
        return Ok(());
    };
    if policy.mode == Mode::Paused {
        context.sources.unsubscribe(key);
        context.standings.with(key, Standing::rest);
        return Ok(());
    }
    match phase {
        Phase::Restoring if rebuilding => Ok(()),
        Phase::Restoring => {
            let poller = context
                .sources
                .poller(&policy.source, &key.namespace, tenant.as_ref())?;
            context
                .standings
                .with(key, |standing| standing.rebuilding = true);
            tokio::spawn(rebuild::rebuild(Arc::clone(context), key.clone(), poller));
            Ok(())
        }
        Phase::Deciding | Phase::Resting => subscribe(context, key),
    }
}

/// Has the policy asked for at each tick and decided on.
fn subscribe(context: &Context, key: &PolicyKey) -> Result<(), Refusal> {
    let made = context.standings.with(key, |s| {
        (s.policy.source.clone(), s.tenant.clone(), subscription(s))
    });
    let Some((source, tenant, subscription)) = made else {
        return Ok(());
    };
    let id = context
        .sources
        .subscribe(key, &source, subscription, tenant.as_ref())?;
    context.standings.with(key, |standing| {
        standing.phase = Phase::Deciding;
        standing.subscription = Some(id);
    });
    Ok(())
}

fn subscription(standing: &Standing) -> Subscription {
    let thresholds = standing.policy.comparisons().map(|comparison| Threshold {
        signal: comparison.signal,
        direction: comparison.direction,
        value: comparison.threshold,
        text: comparison.threshold_text.clone(),
    });
    Subscription {
        interval: standing.policy.interval,
        signals: Arc::clone(&standing.queries),
        thresholds: thresholds.collect(),
    }
}
