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
use super::{observe, release, workloads};
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

/// Whether the watch has come as far as the API server.
async fn is_seen(context: &Context, namespace: &str, workload: &Workload) -> Result<(), ApiError> {
    let now = workloads::get(&context.client, namespace, workload).await?;
    let seen = context
        .scope(namespace)
        .and_then(|scope| workloads::find(scope, namespace, workload));
    let behind = match (&now, &seen) {
        (None, None) => false,
        (Some(now), Some(seen)) => observe::older(&seen.resource_version, &now.resource_version),
        _ => true,
    };
    if behind {
        Err(ApiError::Changed)
    } else {
        Ok(())
    }
}
