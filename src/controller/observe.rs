//! All reads of the cluster that a plan needs, as one plain struct: nothing is decided here.

use kube::api::Api;
use kube::{Client, ResourceExt};

use k8s_openapi::api::core::v1::ConfigMap;

use super::context::Context;
use super::error::{ApiError, call};
use super::standing::Standing;
use super::watches::Scope;
use super::{rivals, workloads};
use crate::api::BotDegradationPolicy;
use crate::flags::{MANAGED_BY, MANAGED_BY_LABEL, POLICY_LABEL};
use crate::plan::{Baseline, FlagsMap, Found, FoundMap, Owner, Target};
use crate::policy::{Policy, Workload};
use crate::prometheus::poller::PolicyKey;

/// What the cluster holds.
pub struct Observed {
    /// The flags `ConfigMap`.
    pub config_map: FlagsMap,
    /// Every workload that a rung names or a baseline is held of.
    pub targets: Vec<Target>,
}

/// Reads it.
pub async fn observe(
    context: &Context,
    object: &BotDegradationPolicy,
    policy: &Policy,
    key: &PolicyKey,
) -> Result<Observed, ApiError> {
    let others = context
        .scope(&key.namespace)
        .map(|scope| scope.policies_in(&key.namespace))
        .unwrap_or_default();
    let others: Vec<&BotDegradationPolicy> = others
        .iter()
        .filter_map(|other| other.0.as_ref().ok())
        .collect();
    let config_map = config_map(&context.client, object, &policy.config_map, &others).await;
    let config_map = match config_map {
        Err(ApiError::Forbidden(words)) => FlagsMap::Forbidden(words),
        other => other?,
    };
    let targets = context.standings.with(key, |standing| {
        let scope = context.scope(&key.namespace)?;
        let now = context.now();
        let all = workloads_of(policy, &standing.baselines);
        let read = |workload| target(scope, standing, object, &others, workload, now);
        Some(all.into_iter().map(read).collect())
    });
    Ok(Observed {
        config_map,
        targets: targets.flatten().unwrap_or_default(),
    })
}

fn workloads_of(policy: &Policy, baselines: &[Baseline]) -> Vec<Workload> {
    let mut all: Vec<Workload> = policy.workloads().into_iter().cloned().collect();
    let rest = baselines.iter().map(|baseline| &baseline.workload);
    for workload in rest {
        if !all.contains(workload) {
            all.push(workload.clone());
        }
    }
    all
}

fn target(
    scope: &Scope,
    standing: &Standing,
    object: &BotDegradationPolicy,
    others: &[&BotDegradationPolicy],
    workload: Workload,
    now: crate::time::Time,
) -> Target {
    let written = standing.written.get(&workload);
    let found =
        workloads::find(scope, &object.namespace().unwrap_or_default(), &workload).map(|found| {
            // The watch may be behind our own last write.
            match written {
                Some(written) if older(&found.resource_version, &written.resource_version) => {
                    Found {
                        resource_version: written.resource_version.clone(),
                        replicas: written.replicas,
                        owner: Owner::Us,
                        ..found
                    }
                }
                _ => found,
            }
        });
    let version = found
        .as_ref()
        .map_or("", |found| found.resource_version.as_str());
    Target {
        held_by: rivals::holder_of_target(object, others.iter().copied(), &workload),
        written: written.map(|written| written.replicas),
        set_backs: standing.set_backs_before(&workload, version, now),
        found,
        workload,
    }
}

/// Whether a version is older than another: they grow with each write to the cluster's store.
pub fn older(version: &str, than: &str) -> bool {
    matches!((version.parse::<u64>(), than.parse::<u64>()), (Ok(a), Ok(b)) if a < b)
}

/// Reads the flags `ConfigMap`, by name: a watch by label does not see one that is not ours.
pub async fn config_map(
    client: &Client,
    object: &BotDegradationPolicy,
    name: &str,
    others: &[&BotDegradationPolicy],
) -> Result<FlagsMap, ApiError> {
    let api: Api<ConfigMap> =
        Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let found = call(api.get_opt(name)).await?;
    let labelled = found
        .as_ref()
        .and_then(|map| map.labels().get(POLICY_LABEL).cloned());
    if let Some(holder) =
        rivals::holder_of_config_map(object, others.iter().copied(), labelled.as_deref())
    {
        return Ok(FlagsMap::HeldBy(holder));
    }
    Ok(match found {
        None => FlagsMap::Absent,
        Some(map) => classify(map, &object.name_any()),
    })
}

/// Reads a `ConfigMap` that the policy no longer names: ours or not, no other policy is asked.
pub async fn own_config_map(
    client: &Client,
    object: &BotDegradationPolicy,
    name: &str,
) -> Result<FlagsMap, ApiError> {
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let found = call(api.get_opt(name)).await?;
    Ok(found.map_or(FlagsMap::Absent, |map| classify(map, &object.name_any())))
}

/// Ours is what bears both labels; one that was let go (managed, of no policy) may be taken up.
fn classify(map: ConfigMap, policy: &str) -> FlagsMap {
    if map.labels().get(MANAGED_BY_LABEL).map(String::as_str) != Some(MANAGED_BY) {
        return FlagsMap::Foreign(format!(
            "exists without the label {MANAGED_BY_LABEL}={MANAGED_BY}"
        ));
    }
    let labelled = map.labels().get(POLICY_LABEL).cloned();
    match labelled.as_deref() {
        Some(other) if other != policy => {
            FlagsMap::Foreign(format!("belongs to the policy {other}"))
        }
        claimed => FlagsMap::Ours(FoundMap {
            uid: map.uid().unwrap_or_default(),
            resource_version: map.resource_version().unwrap_or_default(),
            claimed: claimed.is_some(),
            binary: map.binary_data.is_some_and(|binary| !binary.is_empty()),
            data: map.data.unwrap_or_default(),
        }),
    }
}
