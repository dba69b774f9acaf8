//! Carries a plan out: one request per write, in order, each fenced and each with a deadline.
//!
//! # Guarantees
//!
//! - Nothing is written that was not planned, and nothing unfenced: POST, PUT with uid and
//!   resourceVersion, merge patch with resourceVersion.
//! - A refused write of replicas stops neither the flags nor the other targets.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::error::{ApiError, call};
use super::standing::Written;
use super::workloads;
use crate::api::BotDegradationPolicy;
use crate::flags::{MANAGED_BY, MANAGED_BY_LABEL, POLICY_LABEL};
use crate::metrics::Metrics;
use crate::plan::{Refusal, Write};
use crate::policy::{Workload, WorkloadKind};

/// Who we are to the API server's field management.
pub const FIELD_MANAGER: &str = "brownout";

/// How often a scale is sent again after a conflict that only the workload's own status caused.
const CONFLICT_RETRIES: usize = 5;

/// What came of a plan's writes.
#[derive(Debug, Default)]
pub struct Applied {
    /// Scales that were written, with the version they made.
    pub scaled: Vec<(Workload, Written)>,
    /// Restores that failed: their baselines are kept.
    pub unrestored: Vec<Workload>,
    /// Workloads that were no longer as the plan had them, and that were not written.
    pub outdated: Vec<Workload>,
    /// Whether the flags stand as planned.
    pub flags_failed: bool,
    /// Refusals for `Ready=False`: somebody has to do something about them.
    pub refusals: Vec<Refusal>,
    /// The first failure that trying again may cure.
    pub retry: Option<ApiError>,
}

/// What the writes need.
pub struct Applier<'a> {
    /// The client.
    pub client: &'a Client,
    /// Counts writes.
    pub metrics: &'a Metrics,
    /// The policy they are for.
    pub policy: &'a BotDegradationPolicy,
    /// The flags `ConfigMap`'s name.
    pub config_map: &'a str,
}

impl Applier<'_> {
    /// Carries the writes out, in order.
    pub async fn apply(&self, writes: &[Write]) -> Applied {
        let mut applied = Applied::default();
        for write in writes {
            match write {
                // Recovering, features come back after their workers: a scale that failed and is tried
                // again holds them.
                Write::CreateFlags { .. } | Write::ReplaceFlags { .. }
                    if applied.retry.is_some() =>
                {
                    applied.flags_failed = true;
                }
                Write::CreateFlags { data } => {
                    let result = self.create_flags(data).await;
                    self.flags_written(result, &mut applied);
                }
                Write::ReplaceFlags {
                    uid,
                    resource_version,
                    data,
                    release,
                } => {
                    let result = self
                        .replace_flags(uid, resource_version, data, *release)
                        .await;
                    self.flags_written(result, &mut applied);
                }
                Write::Scale {
                    workload, restore, ..
                } => {
                    let result = self.scale(write).await;
                    self.metrics.wrote("scale", result.is_ok());
                    match result {
                        Ok(Some(written)) => applied.scaled.push((workload.clone(), written)),
                        Ok(None) => {}
                        Err(err) => {
                            if matches!(err, ApiError::Changed) {
                                applied.outdated.push(workload.clone());
                            }
                            if *restore {
                                applied.unrestored.push(workload.clone());
                            }
                            applied.note(
                                err,
                                &format!("patch the scale of {} {}", workload.kind, workload.name),
                            );
                        }
                    }
                }
            }
        }
        applied
    }

    fn flags_written(&self, result: Result<(), ApiError>, applied: &mut Applied) {
        self.metrics.wrote("flags", result.is_ok());
        if let Err(err) = result {
            applied.flags_failed = true;
            applied.note(err, &format!("write the ConfigMap {}", self.config_map));
        }
    }

    async fn create_flags(&self, data: &BTreeMap<String, String>) -> Result<(), ApiError> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.config_map.to_owned()),
                labels: Some(self.labels()),
                ..ObjectMeta::default()
            },
            data: Some(data.clone()),
            ..ConfigMap::default()
        };
        call(self.config_maps().create(&post_params(), &map))
            .await
            .map(drop)
    }

    /// PUT of the object as it is now, with our data and labels: foreign labels and annotations stay.
    async fn replace_flags(
        &self,
        uid: &str,
        resource_version: &str,
        data: &BTreeMap<String, String>,
        release: bool,
    ) -> Result<(), ApiError> {
        let api = self.config_maps();
        let mut map = call(api.get(self.config_map)).await?;
        if map.uid().as_deref() != Some(uid)
            || map.resource_version().as_deref() != Some(resource_version)
        {
            return Err(ApiError::Changed);
        }
        let labels = map.labels_mut();
        labels.append(&mut self.labels());
        if release {
            labels.remove(POLICY_LABEL);
        }
        map.data = Some(data.clone());
        map.binary_data = None;
        call(api.replace(self.config_map, &post_params(), &map))
            .await
            .map(drop)
    }

    /// Writes a scale. `None` where the workload is gone: there is nothing left to scale.
    async fn scale(&self, write: &Write) -> Result<Option<Written>, ApiError> {
        let Write::Scale {
            workload,
            uid,
            resource_version,
            from,
            to,
            ..
        } = write
        else {
            return Ok(None);
        };
        let mut version = resource_version.clone();
        for _ in 0..CONFLICT_RETRIES {
            match self.patch_scale(workload, &version, *to).await {
                Ok(scale) => {
                    let resource_version = scale.metadata.resource_version.unwrap_or_default();
                    return Ok(Some(Written {
                        resource_version,
                        replicas: *to,
                    }));
                }
                // A 404 too: a baseline is given up only for a workload that cannot be read either.
                Err(ApiError::NotFound | ApiError::Changed) => {}
                Err(err) => return Err(err),
            }
            // Only the workload's own status may have moved: else this number was decided on other facts.
            let Some(now) = workloads::get(self.client, &self.namespace(), workload).await? else {
                return Ok(None);
            };
            if now.uid == *uid && now.replicas == *to {
                // An earlier try of ours whose answer was lost; or somebody who wants the same.
                return Ok(Some(Written {
                    resource_version: now.resource_version,
                    replicas: *to,
                }));
            }
            if now.uid != *uid || now.replicas != *from {
                return Err(ApiError::Changed);
            }
            version = now.resource_version;
        }
        Err(ApiError::Changed)
    }

    async fn patch_scale(
        &self,
        workload: &Workload,
        version: &str,
        to: i32,
    ) -> Result<Scale, ApiError> {
        let patch = Patch::Merge(
            json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": to } }),
        );
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let (client, namespace) = (self.client.clone(), self.namespace());
        match workload.kind {
            WorkloadKind::Deployment => {
                let api: Api<Deployment> = Api::namespaced(client, &namespace);
                call(api.patch_scale(&workload.name, &params, &patch)).await
            }
            WorkloadKind::StatefulSet => {
                let api: Api<StatefulSet> = Api::namespaced(client, &namespace);
                call(api.patch_scale(&workload.name, &params, &patch)).await
            }
        }
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace())
    }

    fn namespace(&self) -> String {
        self.policy.namespace().unwrap_or_default()
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned()),
            (POLICY_LABEL.to_owned(), self.policy.name_any()),
        ])
    }
}

impl Applied {
    /// Takes in what came of letting go of a former flags `ConfigMap`. As long as that has not
    /// succeeded, status must go on telling of it.
    pub fn absorb(&mut self, former: Result<Self, ApiError>) {
        let former = former.unwrap_or_else(|err| Self {
            flags_failed: true,
            retry: Some(err),
            ..Self::default()
        });
        self.flags_failed |= former.flags_failed;
        self.refusals.extend(former.refusals);
        self.retry = self.retry.take().or(former.retry);
    }

    /// Sorts a failure: what somebody must mend is a refusal, the rest is tried again.
    fn note(&mut self, err: ApiError, what: &str) {
        tracing::warn!(error = %err, what, "a write failed");
        match err {
            ApiError::Forbidden(message) => self.refusals.push(Refusal {
                reason: "Forbidden",
                message: format!("the API server does not let the operator {what}: {message}"),
            }),
            ApiError::Invalid(message) => self.refusals.push(Refusal {
                reason: "Forbidden",
                message: format!("the API server refuses to {what}: {message}"),
            }),
            // The namespace is going: nothing can be created there, and nothing needs to be.
            ApiError::NamespaceTerminating => {}
            other => self.retry = self.retry.take().or(Some(other)),
        }
    }
}

/// Our field manager on every POST and PUT.
pub fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// How long any one request may take.
pub const DEADLINE: Duration = Duration::from_secs(10);
