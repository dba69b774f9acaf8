//! Observations in, decisions out: every tick of every policy goes through `decide` here. Only what
//! changes something that can be seen wakes the reconciler.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::context::Context;
use super::record::word;
use super::standing::{Phase, Standing, Tick};
use crate::decide::{Decision, Reading, decide, sentence};
use crate::metrics::ReasonLabels;
use crate::policy::Policy;
use crate::prometheus::advice::Advice;
use crate::prometheus::poller::{Observation, PolicyKey, PollerEvent, SubscriptionId};

/// Decides until every poller is gone.
pub async fn run(context: Arc<Context>, mut events: mpsc::Receiver<PollerEvent>) {
    while let Some(event) = events.recv().await {
        match event {
            PollerEvent::Observation(observation) => observed(&context, observation),
            PollerEvent::Advice {
                key,
                subscription,
                advice,
            } => advised(&context, &key, subscription, advice),
        }
    }
}

fn observed(context: &Context, observation: Observation) {
    let key = observation.key.clone();
    let outcome = context.standings.with(&key, |standing| {
        if standing.phase != Phase::Deciding
            || standing.subscription != Some(observation.subscription)
        {
            return None;
        }
        context.metrics.evaluations.inc();
        Some(tick(context, standing, observation))
    });
    let Some((changed, decision)) = outcome.flatten() else {
        return;
    };
    if changed {
        context.kick(&key);
    }
    // Where nothing is to come, this forgets what was to come before.
    let next = decision.next_change.unwrap_or(decision.at);
    context.sources.ask_at(&key, next);
}

/// One tick of one policy. True where something that can be seen has changed.
fn tick(context: &Context, standing: &mut Standing, observation: Observation) -> (bool, Decision) {
    let readings: Vec<Reading> = observation
        .readings
        .iter()
        .map(|observed| observed.reading)
        .collect();
    let before = standing.outward();
    let policy = Arc::clone(&standing.policy);
    // Deciding assumes that time goes on. Where the clock was set back, ticks come a second time.
    let last = standing.last.as_ref().map(|last| last.decision.at);
    if last.is_some_and(|last| observation.at <= last) {
        standing.memory.clock_set_back(observation.at);
    }
    let decision = decide(&policy, &readings, &mut standing.memory, observation.at);
    log_tick(&observation, &policy);
    let mut changed = standing
        .record
        .decided(&policy, &standing.memory, &decision, &readings);
    if let Some(transition) = decision.transition {
        let reason = word(transition.reason);
        context
            .metrics
            .transitions
            .get_or_create(&ReasonLabels { reason })
            .inc();
        let note = sentence(&policy, &readings, &standing.memory, &decision);
        let policy_name = &observation.key.name;
        tracing::info!(
            policy = policy_name,
            namespace = observation.key.namespace,
            from = transition.from,
            to = transition.to,
            reason,
            "{note}"
        );
        let action = format!("ApplyLevel{}", decision.applied);
        standing.notice(transition.to > transition.from, reason, action, note);
    }
    standing.rejected = observation
        .readings
        .iter()
        .position(|observed| observed.rejected);
    standing.last = Some(Tick {
        observed: observation.readings,
        readings,
        decision,
    });
    if standing.record.blind.is_some() != before.is_blind() {
        announce_blindness(standing);
    }
    changed |= before != standing.outward();
    (changed, decision)
}

/// Every tick as `replay --series` reads it, for whoever turns debugging on.
fn log_tick(observation: &Observation, policy: &Policy) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let readings = policy.signals.iter().zip(&observation.readings);
    let readings: Map<String, Value> = readings
        .map(|(signal, observed)| {
            let reading = match observed.reading {
                Reading::Value(value) => Value::from(value.to_string()),
                Reading::Unknown(class) => json!({ "unknown": class.as_str() }),
            };
            (signal.name.clone(), reading)
        })
        .collect();
    let readings = Value::Object(readings);
    tracing::debug!(
        namespace = observation.key.namespace,
        policy = observation.key.name,
        at = observation.at.as_millis(),
        readings = %readings,
        "tick"
    );
}

fn announce_blindness(standing: &mut Standing) {
    match standing.record.blind.clone() {
        Some(cause) => {
            standing.was_blind = true;
            let note = format!(
                "{} gives no reading that can be trusted: {}",
                cause.signal, cause.class
            );
            standing.notice(true, "MetricsUnavailable", "Hold", note);
        }
        None => standing.notice(
            false,
            "MetricsReturned",
            "Decide",
            "every signal can be read again".to_owned(),
        ),
    }
}

fn advised(context: &Context, key: &PolicyKey, subscription: SubscriptionId, advice: Vec<Advice>) {
    let changed = context.standings.with(key, |standing| {
        if standing.subscription != Some(subscription) {
            return false;
        }
        // A restart is no news: what there was to tell then has been told.
        let told = std::mem::take(&mut standing.advice_told);
        let new: Vec<Advice> = advice
            .iter()
            .filter(|a| !told && !standing.advice.contains(a))
            .cloned()
            .collect();
        for advice in &new {
            standing.notice(
                true,
                advice.kind.as_str(),
                format!("Advise{}", advice.signal),
                advice.message.clone(),
            );
        }
        standing.advice = advice;
        !new.is_empty()
    });
    if changed == Some(true) {
        context.kick(key);
    }
}
