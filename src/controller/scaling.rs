//! The writes that move replicas: the scale of a workload, the bounds of its autoscaler, the pause of
//! KEDA's. Each is a merge patch of one object, fenced by its version.

use std::future::Future;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Client;
use kube::api::{Api, Patch};
use serde_json::{Value, json};

use super::apply::patch_params;
use super::autoscalers::{self, PAUSED_REPLICAS};
use super::error::{ApiError, call};
use super::standing::{SetAutoscaler, Written};
use super::workloads;
use crate::plan::{Bounds, Write};
use crate::policy::{Workload, WorkloadKind};

/// How often a write is sent again after a conflict that only the object's own status caused.
const CONFLICT_RETRIES: usize = 5;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// A workload's number.
    Scaled(Written),
    /// What scales it by itself.
    Set(SetAutoscaler),
}

/// Carries one such write out. `None` where the object is gone: there is nothing left to move.
pub async fn carry_out(
    client: &Client,
    namespace: &str,
    write: &Write,
) -> Result<Option<Moved>, ApiError> {
    let at = Place { client, namespace };
    match write {
        Write::CreateFlags { .. } | Write::ReplaceFlags { .. } => Ok(None),
        Write::Scale {
            workload,
            uid,
            resource_version,
            from,
            to,
            ..
        } => {
            at.scale(workload, &fence(uid, resource_version, from, to))
                .await
        }
        Write::Bounds {
            name,
            uid,
            resource_version,
            from,
            to,
            ..
        } => {
            at.bound(name, &fence(uid, resource_version, from, to))
                .await
        }
        Write::Pause {
            name,
            uid,
            resource_version,
            from,
            to,
            ..
        } => {
            at.pause(name, &fence(uid, resource_version, from, to))
                .await
        }
    }
}

/// Where the object is.
#[derive(Clone, Copy)]
struct Place<'a> {
    client: &'a Client,
    namespace: &'a str,
}

impl Place<'_> {
    async fn scale(
        self,
        workload: &Workload,
        fence: &Fence<'_, i32>,
    ) -> Result<Option<Moved>, ApiError> {
        let Self { client, namespace } = self;
        let to = *fence.to;
        let patch = async |version: String| {
            let scale = patch_scale(client, namespace, workload, &version, to).await?;
            Ok(scale.metadata.resource_version.unwrap_or_default())
        };
        let read = async || {
            let found = workloads::get(client, namespace, workload).await?;
            Ok(found.map(|now| (now.uid, now.resource_version, now.replicas)))
        };
        let version = fence.send(patch, read).await?;
        Ok(version.map(|resource_version| {
            Moved::Scaled(Written {
                resource_version,
                replicas: to,
            })
        }))
    }

    async fn bound(self, name: &str, fence: &Fence<'_, Bounds>) -> Result<Option<Moved>, ApiError> {
        let Self { client, namespace } = self;
        let to = *fence.to;
        let patch =
            async |version: String| patch_bounds(client, namespace, name, &version, to).await;
        let read = async || {
            let found = autoscalers::get(client, namespace, name).await?;
            Ok(found.map(|now| (now.uid, now.resource_version, now.bounds)))
        };
        let version = fence.send(patch, read).await?;
        Ok(version.map(|resource_version| {
            Moved::Set(SetAutoscaler::Bounds {
                name: name.to_owned(),
                resource_version,
                bounds: to,
            })
        }))
    }

    async fn pause(
        self,
        name: &str,
        fence: &Fence<'_, Option<String>>,
    ) -> Result<Option<Moved>, ApiError> {
        let Self { client, namespace } = self;
        let patch = async |version: String| {
            patch_pause(client, namespace, name, &version, fence.to.as_deref()).await
        };
        let read = async || {
            let found = autoscalers::get_scaled_object(client, namespace, name).await?;
            Ok(found.map(|now| (now.uid, now.resource_version, now.paused)))
        };
        let version = fence.send(patch, read).await?;
        Ok(version.map(|_| {
            Moved::Set(SetAutoscaler::Paused {
                name: name.to_owned(),
                at: fence.to.clone(),
            })
        }))
    }
}

/// Whether a write gives back what was there before.
pub fn restores(write: &Write) -> bool {
    match write {
        Write::CreateFlags { .. } | Write::ReplaceFlags { .. } => false,
        Write::Scale { restore, .. }
        | Write::Bounds { restore, .. }
        | Write::Pause { restore, .. } => *restore,
    }
}

/// A bounded word, for metrics.
pub fn kind(write: &Write) -> &'static str {
    match write {
        Write::CreateFlags { .. } | Write::ReplaceFlags { .. } => "flags",
        Write::Scale { .. } => "scale",
        Write::Bounds { .. } => "autoscaler",
        Write::Pause { .. } => "scaledobject",
    }
}

/// What a write does, for people.
pub fn what(write: &Write) -> String {
    match write {
        Write::CreateFlags { .. } | Write::ReplaceFlags { .. } => "write the flags".to_owned(),
        Write::Scale { workload, .. } => {
            format!("patch the scale of {} {}", workload.kind, workload.name)
        }
        Write::Bounds { name, .. } => {
            format!("patch the bounds of the HorizontalPodAutoscaler {name}")
        }
        Write::Pause { name, .. } => format!("patch the annotations of the ScaledObject {name}"),
    }
}

/// What a write was decided on.
struct Fence<'a, T> {
    uid: &'a str,
    resource_version: &'a str,
    from: &'a T,
    to: &'a T,
}

fn fence<'a, T>(uid: &'a str, resource_version: &'a str, from: &'a T, to: &'a T) -> Fence<'a, T> {
    Fence {
        uid,
        resource_version,
        from,
        to,
    }
}

impl<T: PartialEq> Fence<'_, T> {
    /// Sends a write until it succeeds, as long as what it was decided on stands. Gives the version that
    /// it made.
    async fn send<P, R>(
        &self,
        patch: impl Fn(String) -> P,
        read: impl Fn() -> R,
    ) -> Result<Option<String>, ApiError>
    where
        P: Future<Output = Result<String, ApiError>>,
        R: Future<Output = Result<Option<(String, String, T)>, ApiError>>,
    {
        let mut version = self.resource_version.to_owned();
        for _ in 0..CONFLICT_RETRIES {
            match patch(version.clone()).await {
                Ok(made) => return Ok(Some(made)),
                // A 404 too: a baseline is given up only for an object that cannot be read either.
                Err(ApiError::NotFound | ApiError::Changed) => {}
                Err(err) => return Err(err),
            }
            // Only the object's own status may have moved: else this was decided on other facts.
            let Some((uid, now, value)) = read().await? else {
                return Ok(None);
            };
            if uid == self.uid && value == *self.to {
                // An earlier try of ours whose answer was lost; or somebody who wants the same.
                return Ok(Some(now));
            }
            if uid != self.uid || value != *self.from {
                return Err(ApiError::Changed);
            }
            version = now;
        }
        Err(ApiError::Changed)
    }
}

async fn patch_scale(
    client: &Client,
    namespace: &str,
    workload: &Workload,
    version: &str,
    to: i32,
) -> Result<Scale, ApiError> {
    let patch = merge(version, json!({ "spec": { "replicas": to } }));
    let (name, client) = (workload.name.as_str(), client.clone());
    match workload.kind {
        WorkloadKind::Deployment => {
            let api: Api<Deployment> = Api::namespaced(client, namespace);
            call(api.patch_scale(name, &patch_params(), &patch)).await
        }
        WorkloadKind::StatefulSet => {
            let api: Api<StatefulSet> = Api::namespaced(client, namespace);
            call(api.patch_scale(name, &patch_params(), &patch)).await
        }
    }
}

/// Both bounds at once: the API server refuses a lower one above the upper one.
async fn patch_bounds(
    client: &Client,
    namespace: &str,
    name: &str,
    version: &str,
    to: Bounds,
) -> Result<String, ApiError> {
    let bounds = json!({ "spec": { "minReplicas": to.min, "maxReplicas": to.max } });
    let api: Api<HorizontalPodAutoscaler> = Api::namespaced(client.clone(), namespace);
    let made = call(api.patch(name, &patch_params(), &merge(version, bounds))).await?;
    Ok(made.metadata.resource_version.unwrap_or_default())
}

async fn patch_pause(
    client: &Client,
    namespace: &str,
    name: &str,
    version: &str,
    to: Option<&str>,
) -> Result<String, ApiError> {
    let annotation = json!({ "metadata": { "annotations": { PAUSED_REPLICAS: to } } });
    let api = autoscalers::scaled_objects(client, namespace);
    let patch = merge(version, annotation);
    let made = call(api.patch_metadata(name, &patch_params(), &patch)).await?;
    Ok(made.metadata.resource_version.unwrap_or_default())
}

fn merge(version: &str, mut patch: Value) -> Patch<Value> {
    patch["metadata"]["resourceVersion"] = Value::from(version);
    Patch::Merge(patch)
}
