//! Workloads as the API server has them, reduced to what a plan needs.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::Api;
use kube::runtime::reflector::ObjectRef;

use super::apply::FIELD_MANAGER;
use super::error::{ApiError, call};
use super::watches::{self, Scope};
use crate::plan::{Found, Owner};
use crate::policy::{Workload, WorkloadKind};

/// What Kubernetes' `HorizontalPodAutoscaler`s write as: the name of the executable that they run in.
const CONTROLLERS: &str = "kube-controller-manager";
/// What KEDA writes as, which scales from and to 0 itself.
const KEDA: &str = "keda";

/// A workload from the watch's store.
pub fn find(scope: &Scope, namespace: &str, workload: &Workload) -> Option<Found> {
    match workload.kind {
        WorkloadKind::Deployment => {
            let found = scope
                .deployments
                .get(&ObjectRef::new(&workload.name).within(namespace))?;
            Some(reduce(
                &found.metadata,
                found.spec.as_ref().and_then(|spec| spec.replicas),
            ))
        }
        WorkloadKind::StatefulSet => {
            let found = scope
                .stateful_sets
                .get(&ObjectRef::new(&workload.name).within(namespace))?;
            Some(reduce(
                &found.metadata,
                found.spec.as_ref().and_then(|spec| spec.replicas),
            ))
        }
    }
}

/// A workload from the API server itself.
pub async fn get(
    client: &Client,
    namespace: &str,
    workload: &Workload,
) -> Result<Option<Found>, ApiError> {
    let client = client.clone();
    match workload.kind {
        WorkloadKind::Deployment => {
            let api: Api<Deployment> = Api::namespaced(client, namespace);
            let found = call(api.get_opt(&workload.name)).await?;
            Ok(found.map(|mut found| {
                watches::prune(&mut found.metadata);
                reduce(&found.metadata, found.spec.and_then(|spec| spec.replicas))
            }))
        }
        WorkloadKind::StatefulSet => {
            let api: Api<StatefulSet> = Api::namespaced(client, namespace);
            let found = call(api.get_opt(&workload.name)).await?;
            Ok(found.map(|mut found| {
                watches::prune(&mut found.metadata);
                reduce(&found.metadata, found.spec.and_then(|spec| spec.replicas))
            }))
        }
    }
}

fn reduce(metadata: &ObjectMeta, replicas: Option<i32>) -> Found {
    let owners = watches::replicas_owners(metadata);
    let owner = if owners.contains(&FIELD_MANAGER) {
        Owner::Us
    } else {
        owners
            .first()
            .map_or(Owner::Nobody, |manager| match *manager {
                manager if manager.starts_with(CONTROLLERS) || manager == KEDA => Owner::Autoscaler,
                manager => Owner::Other(manager.to_owned()),
            })
    };
    Found {
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        // The API server defaults it to 1.
        replicas: replicas.unwrap_or(1),
        owner,
    }
}
