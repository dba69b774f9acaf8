//! All reads of the cluster that a plan needs, as one plain struct: nothing is decided here.

use std::collections::HashMap;

use kube::api::Api;
use kube::{Client, ResourceExt};

use k8s_openapi::api::core::v1::ConfigMap;

use super::context::Context;
use super::error::{ApiError, call};
use super::standing::{SetAutoscaler, Written};
use super::watches::Scope;
use super::{autoscalers, rivals, words, workloads};
use crate::api::BotDegradationPolicy;
use crate::flags::{MANAGED_BY, MANAGED_BY_LABEL, POLICY_LABEL};
use crate::plan::{Autoscaling, Baseline, FlagsMap, Found, FoundMap, Hpa, Kept, Owner, Target};
use crate::policy::{Policy, Workload};
use crate::prometheus::poller::PolicyKey;

/// What the cluster holds.
pub struct Observed {
    /// The flags `ConfigMap`.
    pub config_map: FlagsMap,
    /// Every workload that a rung names or a baseline is held of.
    pub targets: Vec<Target>,
    /// Those that another policy names too, or holds a baseline of.
    pub shared: Vec<Workload>,
    /// The first failure to read about a target that trying again may cure.
    pub retry: Option<ApiError>,
}

/// What this process has kept and written of a policy's targets.
struct Ours {
    baselines: Vec<Baseline>,
    written: HashMap<Workload, Written>,
    set: HashMap<Workload, SetAutoscaler>,
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
        Err(ApiError::Forbidden(denied)) => {
            tracing::warn!(
                error = denied,
                name = policy.config_map,
                "a ConfigMap may not be read"
            );
            let what = format!("ConfigMap {}", policy.config_map);
            FlagsMap::Forbidden(words::denied(&denied, &what))
        }
        other => other?,
    };
    // Copied, so that nobody waits for the scans of the stores.
    let ours = context.standings.with(key, |standing| Ours {
        baselines: standing.baselines.clone(),
        written: standing.written.clone(),
        set: standing.set.clone(),
    });
    let scoped = context.scope(&key.namespace).zip(ours);
    let read = |(scope, ours): (&Scope, Ours)| {
        let all = workloads_of(policy, &ours.baselines).into_iter();
        all.map(|workload| target(scope, &ours, object, &others, workload))
            .collect()
    };
    let mut targets: Vec<Target> = scoped.map(read).unwrap_or_default();
    let mut retry = None;
    for target in &mut targets {
        if let Err(err) = pausable(context, key, target).await {
            retry = retry.or(Some(err));
        }
    }
    let named = |workload: &&Workload| rivals::others_name(object, &others, workload);
    let all = targets.iter().map(|target| &target.workload);
    Ok(Observed {
        config_map,
        shared: all.filter(named).cloned().collect(),
        targets,
        retry,
    })
}

/// Looks for KEDA's `ScaledObject` behind a workload's autoscaler, where the level moves the workload,
/// has moved it, or a late write may. Where that cannot be read the target says so; the error is for trying again.
async fn pausable(context: &Context, key: &PolicyKey, target: &mut Target) -> Result<(), ApiError> {
    let now = context.now();
    let asked = context.standings.with(key, |standing| {
        let mut baselines = standing.baselines.iter();
        let baseline = baselines.find(|baseline| baseline.workload == target.workload);
        let level = standing.record.level;
        let moved = standing.policy.replicas_at(level, &target.workload);
        let late = standing.handed_back.pausable(&target.workload, now);
        if moved.is_none() && baseline.is_none() && late.is_none() {
            return None;
        }
        let recorded = match baseline.and_then(|baseline| baseline.autoscaler.clone()) {
            Some(Kept::Paused { name, .. }) => Some(name),
            _ => late.map(str::to_owned),
        };
        let set = standing.set.get(&target.workload).cloned();
        Some((recorded, set))
    });
    let Some((recorded, set)) = asked.flatten() else {
        return Ok(());
    };
    let holding = target.autoscaling.hpas.iter().filter(|hpa| hpa.holds);
    let makers = holding.filter_map(|hpa| hpa.made_by.clone());
    let names: Vec<String> = recorded.into_iter().chain(makers).collect();
    for name in names {
        match autoscalers::get_scaled_object(&context.client, &key.namespace, &name).await {
            Ok(None) => {}
            Ok(Some(mut found)) => {
                found.written = matches!(
                    &set,
                    Some(SetAutoscaler::Paused { name: n, at: Some(_) }) if *n == name
                );
                target.autoscaling.scaled_object = Some(found);
                return Ok(());
            }
            Err(err) => {
                tracing::warn!(error = %err, name, "a ScaledObject cannot be read");
                let what = format!("ScaledObject {name}");
                target.autoscaling.unreadable = Some(words::unreadable(&err, &what));
                return match err {
                    ApiError::Forbidden(_) => Ok(()),
                    other => Err(other),
                };
            }
        }
    }
    Ok(())
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
    ours: &Ours,
    object: &BotDegradationPolicy,
    others: &[&BotDegradationPolicy],
    workload: Workload,
) -> Target {
    let namespace = object.namespace().unwrap_or_default();
    let written = ours.written.get(&workload);
    let found = workloads::find(scope, &namespace, &workload).map(|found| {
        // The watch may be behind our own last write.
        match written {
            Some(written) if older(&found.resource_version, &written.resource_version) => Found {
                resource_version: written.resource_version.clone(),
                replicas: written.replicas,
                owner: Owner::Us,
                ..found
            },
            _ => found,
        }
    });
    Target {
        held_by: rivals::holder_of_target(object, others.iter().copied(), &workload),
        written: written.map(|written| written.replicas),
        autoscaling: Autoscaling {
            hpas: hpas(scope, ours, &namespace, &workload),
            ..Autoscaling::default()
        },
        found,
        workload,
    }
}

fn hpas(scope: &Scope, ours: &Ours, namespace: &str, workload: &Workload) -> Vec<Hpa> {
    let mut baselines = ours.baselines.iter();
    let baseline = baselines.find(|baseline| baseline.workload == *workload);
    let recorded = match baseline.and_then(|baseline| baseline.autoscaler.as_ref()) {
        Some(Kept::Bounds { name, .. }) => Some(name.as_str()),
        _ => None,
    };
    let mut found = autoscalers::find(scope, namespace, workload, recorded);
    let Some(SetAutoscaler::Bounds {
        name,
        resource_version,
        bounds,
    }) = ours.set.get(workload)
    else {
        return found;
    };
    for hpa in found.iter_mut().filter(|hpa| hpa.name == *name) {
        hpa.written = Some(*bounds);
        // The watch may be behind our own last write.
        if older(&hpa.resource_version, resource_version) {
            resource_version.clone_into(&mut hpa.resource_version);
            hpa.bounds = *bounds;
            hpa.min_owner = Owner::Us;
            hpa.max_owner = Owner::Us;
        }
    }
    found
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
