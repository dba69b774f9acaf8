//! What scales workloads by itself, as the API server has it, reduced to what a plan needs: Kubernetes'
//! `HorizontalPodAutoscaler`s from the watch, KEDA's `ScaledObject`s by name, where there are any.

use std::hash::{Hash, Hasher};

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::apply::FIELD_MANAGER;
use super::error::{ApiError, call};
use super::watches::Scope;
use crate::plan::{Bounds, Hpa, Owner, ScaledObject};
use crate::policy::{Workload, WorkloadKind};

/// The annotation that has KEDA hold a workload at a number.
pub const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";

const KEDA_GROUP: &str = "keda.sh";
const MIN: &str = "/f:spec/f:minReplicas";
const MAX: &str = "/f:spec/f:maxReplicas";

/// The `HorizontalPodAutoscaler`s that name a workload, and the one that a baseline names.
pub fn find(
    scope: &Scope,
    namespace: &str,
    workload: &Workload,
    recorded: Option<&str>,
) -> Vec<Hpa> {
    let all = scope.autoscalers.state();
    let here = all
        .iter()
        .filter(|hpa| hpa.metadata.namespace.as_deref() == Some(namespace));
    let mut found: Vec<Hpa> = here
        .filter_map(|hpa| concerning(hpa, workload, recorded))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// One that names the workload or that a baseline names; nothing is copied of any other.
fn concerning(
    hpa: &HorizontalPodAutoscaler,
    workload: &Workload,
    recorded: Option<&str>,
) -> Option<Hpa> {
    let holds = target_of(hpa) == Some((workload.kind, workload.name.as_str()));
    let kept = recorded.is_some() && recorded == hpa.metadata.name.as_deref();
    (holds || kept).then(|| reduce(hpa, holds))
}

/// A `HorizontalPodAutoscaler` from the API server itself.
pub async fn get(client: &Client, namespace: &str, name: &str) -> Result<Option<Hpa>, ApiError> {
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let found = call(api.get_opt(name)).await?;
    Ok(found.map(|hpa| reduce(&hpa, true)))
}

/// KEDA's `ScaledObject` of a name; `None` also where KEDA is not installed.
pub async fn get_scaled_object(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ScaledObject>, ApiError> {
    match call(scaled_objects(client, namespace).get_metadata(name)).await {
        Ok(found) => Ok(Some(scaled_object(&found.metadata))),
        Err(ApiError::NotFound) => Ok(None),
        Err(err) => Err(err),
    }
}

/// KEDA's `ScaledObject`s, of which nothing but the metadata is read or written.
pub fn scaled_objects(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(KEDA_GROUP, "v1alpha1", "ScaledObject");
    let resource = ApiResource::from_gvk(&kind);
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// The workload that a `HorizontalPodAutoscaler` scales, where it is of a kind that policies scale.
pub fn target(hpa: &HorizontalPodAutoscaler) -> Option<Workload> {
    let (kind, name) = target_of(hpa)?;
    let name = name.to_owned();
    Some(Workload { kind, name })
}

fn target_of(hpa: &HorizontalPodAutoscaler) -> Option<(WorkloadKind, &str)> {
    let target = &hpa.spec.as_ref()?.scale_target_ref;
    let group = target.api_version.as_deref()?.split_once('/')?.0;
    let kind = match (group, target.kind.as_str()) {
        ("apps", "Deployment") => WorkloadKind::Deployment,
        ("apps", "StatefulSet") => WorkloadKind::StatefulSet,
        _ => return None,
    };
    Some((kind, &target.name))
}

/// Drops what nobody asks for.
pub fn prune(hpa: &mut HorizontalPodAutoscaler) {
    hpa.status = None;
    hpa.metadata.annotations = None;
    hpa.metadata.labels = None;
    if let Some(HorizontalPodAutoscalerSpec {
        behavior, metrics, ..
    }) = &mut hpa.spec
    {
        *behavior = None;
        *metrics = None;
    }
    if let Some(fields) = &mut hpa.metadata.managed_fields {
        fields.retain(|entry| {
            let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
            fields.is_some_and(|f| f.pointer(MIN).is_some() || f.pointer(MAX).is_some())
        });
    }
}

/// What of a `HorizontalPodAutoscaler` concerns us: not each step that it takes.
pub fn fingerprint(hpa: &HorizontalPodAutoscaler, hasher: &mut impl Hasher) {
    let spec = hpa.spec.as_ref();
    let target = spec.map(|spec| {
        let target = &spec.scale_target_ref;
        (&target.api_version, &target.kind, &target.name)
    });
    target.hash(hasher);
    spec.map(|spec| (spec.min_replicas, spec.max_replicas))
        .hash(hasher);
    made_by(&hpa.metadata).hash(hasher);
    for field in [MIN, MAX] {
        for manager in managers(&hpa.metadata, field) {
            manager.hash(hasher);
        }
        field.hash(hasher);
    }
}

fn reduce(hpa: &HorizontalPodAutoscaler, holds: bool) -> Hpa {
    let spec = hpa.spec.as_ref();
    Hpa {
        name: hpa.name_any(),
        uid: hpa.uid().unwrap_or_default(),
        resource_version: hpa.resource_version().unwrap_or_default(),
        holds,
        made_by: made_by(&hpa.metadata),
        bounds: Bounds {
            // The API server defaults it to 1.
            min: spec.and_then(|spec| spec.min_replicas).unwrap_or(1),
            max: spec.map_or(1, |spec| spec.max_replicas),
        },
        min_owner: owner(&hpa.metadata, MIN),
        max_owner: owner(&hpa.metadata, MAX),
        written: None,
    }
}

fn scaled_object(metadata: &ObjectMeta) -> ScaledObject {
    let annotations = metadata.annotations.as_ref();
    // A pointer spells the annotation's slash as ~1.
    let field = format!(
        "/f:metadata/f:annotations/f:{}",
        PAUSED_REPLICAS.replace('/', "~1")
    );
    ScaledObject {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        paused: annotations.and_then(|all| all.get(PAUSED_REPLICAS).cloned()),
        owner: owner(metadata, &field),
        written: false,
    }
}

fn made_by(metadata: &ObjectMeta) -> Option<String> {
    let owners = metadata.owner_references.iter().flatten();
    let mut keda = owners.filter(|owner| {
        let group = owner.api_version.split('/').next();
        owner.kind == "ScaledObject" && group == Some(KEDA_GROUP)
    });
    keda.next().map(|owner| owner.name.clone())
}

fn owner(metadata: &ObjectMeta, field: &str) -> Owner {
    let owners = managers(metadata, field);
    if owners.contains(&FIELD_MANAGER) {
        return Owner::Us;
    }
    let first = owners.first();
    first.map_or(Owner::Nobody, |manager| Owner::Other((*manager).to_owned()))
}

/// The field managers that own a field, given as a JSON pointer.
fn managers<'a>(metadata: &'a ObjectMeta, field: &str) -> Vec<&'a str> {
    let owns = |fields: &Value| fields.pointer(field).is_some();
    metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.fields_v1.as_ref().is_some_and(|f| owns(&f.0)))
        .filter_map(|entry| entry.manager.as_deref())
        .collect()
}

#[cfg(test)]
mod tests;
