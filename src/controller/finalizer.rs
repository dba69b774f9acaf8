//! The finalizer: on before anything is written for a policy, off when everything is handed back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, Patch};
use serde_json::json;

use super::apply::patch_params;
use super::context::Context;
use super::error::{ApiError, call};
use crate::api::{BotDegradationPolicy, FINALIZER};

/// Sees to it that the policy bears our finalizer.
pub async fn ensure(
    context: &Context,
    object: &BotDegradationPolicy,
) -> Result<BotDegradationPolicy, ApiError> {
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(object.clone());
    }
    let names = object
        .finalizers()
        .iter()
        .cloned()
        .chain([FINALIZER.to_owned()])
        .collect();
    patch(context, object, names).await
}

/// Takes our finalizer off; a policy that is gone already is as good.
pub async fn remove(context: &Context, object: &BotDegradationPolicy) -> Result<(), ApiError> {
    if !object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(());
    }
    let names = object
        .finalizers()
        .iter()
        .filter(|name| *name != FINALIZER)
        .cloned()
        .collect();
    match patch(context, object, names).await {
        Ok(_) => Ok(()),
        Err(ApiError::NotFound) => gone(context, &object.metadata).await,
        Err(err) => Err(err),
    }
}

/// Takes our finalizer off a policy that cannot be read.
pub async fn remove_unread(context: &Context, metadata: &ObjectMeta) -> Result<(), ApiError> {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<BotDegradationPolicy> = Api::namespaced(context.client.clone(), namespace);
    let others = metadata.finalizers.iter().flatten();
    let others: Vec<&String> = others.filter(|name| *name != FINALIZER).collect();
    let patch = json!({ "metadata": { "resourceVersion": metadata.resource_version, "finalizers": others } });
    let name = metadata.name.as_deref().unwrap_or_default();
    let result = call(api.patch_metadata(name, &patch_params(), &Patch::Merge(&patch))).await;
    context.metrics.wrote("finalizer", result.is_ok());
    match result {
        Ok(_) => Ok(()),
        Err(ApiError::NotFound) => gone(context, metadata).await,
        Err(err) => Err(err),
    }
}

/// A policy that one 404 spoke of is gone only if it cannot be read either: nobody would look at it again,
/// and its finalizer would stay.
async fn gone(context: &Context, metadata: &ObjectMeta) -> Result<(), ApiError> {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<BotDegradationPolicy> = Api::namespaced(context.client.clone(), namespace);
    let name = metadata.name.as_deref().unwrap_or_default();
    match call(api.get_metadata_opt(name)).await? {
        Some(found) if found.metadata.uid == metadata.uid => Err(ApiError::Changed),
        _ => Ok(()),
    }
}

/// A list in a merge patch stands for the whole: the version keeps it from undoing somebody else's.
async fn patch(
    context: &Context,
    object: &BotDegradationPolicy,
    finalizers: Vec<String>,
) -> Result<BotDegradationPolicy, ApiError> {
    let api: Api<BotDegradationPolicy> = Api::namespaced(
        context.client.clone(),
        &object.namespace().unwrap_or_default(),
    );
    let patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
    let result = call(api.patch(&object.name_any(), &patch_params(), &Patch::Merge(&patch))).await;
    context.metrics.wrote("finalizer", result.is_ok());
    result
}
