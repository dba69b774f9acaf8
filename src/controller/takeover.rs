//! What another operator did until a moment ago, read from the API server itself.
//!
//! A standby's stores may lag the last leader's last writes, and nothing says how far: an idle watch looks
//! like one that is behind. To begin from them would be to restore a level that is no longer the one
//! published. So each policy that is new to this process is read again, with the workloads it moves: reads
//! made after the Lease was acquired, of which the API server promises that they are consistent. That costs
//! one GET per policy and workload, once, 16 at a time; listing each kind anew costs all of a cluster's
//! workloads, of which policies name few, and waiting for the watches' bookmarks takes a minute.
//! (`ConfigMap`s are read by GET before each plan anyway.)

use std::collections::BTreeSet;

use kube::api::Api;

use super::context::Context;
use super::error::{ApiError, call};
use super::understand::key;
use super::{autoscalers, observe, release, workloads};
use crate::api::BotDegradationPolicy;
use crate::policy::Workload;

/// A policy as it is now, where another operator may have acted on it; `None` where it is gone.
///
/// # Errors
///
/// `Changed` where the watch of its workloads is behind: it is tried again soon.
pub async fn read_again(
    context: &Context,
    object: BotDegradationPolicy,
) -> Result<Option<BotDegradationPolicy>, ApiError> {
    let key = key(&object);
    let known = |standing: &mut super::standing::Standing| {
        Some(&standing.uid) == object.metadata.uid.as_ref()
    };
    if !context.leadership.is_elected() || context.standings.with(&key, known) == Some(true) {
        return Ok(Some(object));
    }
    let api: Api<BotDegradationPolicy> = Api::namespaced(context.client.clone(), &key.namespace);
    let Some(object) = call(api.get_opt(&key.name)).await? else {
        release::forget(context, &key);
        return Ok(None);
    };
    for workload in moved_by(&object) {
        is_seen(context, &key.namespace, &workload).await?;
    }
    for (workload, autoscaler) in bounded_by(&object) {
        is_autoscaler_seen(context, &key.namespace, &workload, autoscaler).await?;
    }
    Ok(Some(object))
}

/// The workloads that a policy names or holds a baseline of.
fn moved_by(object: &BotDegradationPolicy) -> BTreeSet<Workload> {
    let named = object
        .spec
        .levels
        .iter()
        .flat_map(|level| level.scale.iter().flatten());
    let named = named.map(|scale| (scale.kind, scale.name.clone()));
    let held = object.status.iter().flat_map(|status| &status.baseline);
    let held = held.map(|baseline| (baseline.kind, baseline.name.clone()));
    named
        .chain(held)
        .map(|(kind, name)| Workload { kind, name })
        .collect()
}

/// The autoscalers whose bounds a policy holds, each with its workload.
fn bounded_by(object: &BotDegradationPolicy) -> impl Iterator<Item = (Workload, &str)> {
    let held = object.status.iter().flat_map(|status| &status.baseline);
    held.filter_map(|baseline| {
        let workload = Workload {
            kind: baseline.kind,
            name: baseline.name.clone(),
        };
        let autoscaler = baseline.autoscaler.as_ref()?;
        Some((workload, autoscaler.name.as_str()))
    })
}

/// Whether the watch has come as far as the API server.
async fn is_seen(context: &Context, namespace: &str, workload: &Workload) -> Result<(), ApiError> {
    let now = workloads::get(&context.client, namespace, workload).await?;
    let seen = context
        .scope(namespace)
        .and_then(|scope| workloads::find(scope, namespace, workload));
    compare(
        now.map(|now| now.resource_version),
        seen.map(|seen| seen.resource_version),
    )
}

async fn is_autoscaler_seen(
    context: &Context,
    namespace: &str,
    workload: &Workload,
    name: &str,
) -> Result<(), ApiError> {
    let now = autoscalers::get(&context.client, namespace, name).await?;
    let seen = context
        .scope(namespace)
        .map(|scope| autoscalers::find(scope, namespace, workload, Some(name)))
        .unwrap_or_default();
    let seen = seen.into_iter().find(|hpa| hpa.name == name);
    compare(
        now.map(|now| now.resource_version),
        seen.map(|seen| seen.resource_version),
    )
}

/// Whether what the watch has seen is as new as what the API server has now.
fn compare(now: Option<String>, seen: Option<String>) -> Result<(), ApiError> {
    let behind = match (now, seen) {
        (None, None) => false,
        (Some(now), Some(seen)) => observe::older(&seen, &now),
        _ => true,
    };
    if behind {
        Err(ApiError::Changed)
    } else {
        Ok(())
    }
}
