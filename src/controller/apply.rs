//! Carries a plan out: one request per write, in order, each fenced and each with a deadline.
//!
//! # Guarantees
//!
//! - Nothing is written that was not planned, and nothing unfenced: POST, PUT with uid and
//!   resourceVersion, merge patch with resourceVersion.
//! - A refused write of replicas stops neither the flags nor the other targets.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, PatchParams, PostParams};
use kube::{Client, ResourceExt};

use super::error::{ApiError, call};
use super::scaling::{self, Moved};
use super::words;
use crate::api::{BotDegradationPolicy, conditions};
use crate::flags::{MANAGED_BY, MANAGED_BY_LABEL, POLICY_LABEL};
use crate::metrics::Metrics;
use crate::plan::{Plan, Refusal, Write};
use crate::policy::Workload;

/// Who we are to the API server's field management.
pub const FIELD_MANAGER: &str = "brownout";

/// What came of a plan's writes.
#[derive(Debug, Default)]
pub struct Applied {
    /// What was written about workloads, in order.
    pub moved: Vec<(Workload, Moved)>,
    /// Restores that failed: their baselines are kept.
    pub unrestored: Vec<Workload>,
    /// Workloads that were no longer as the plan had them, and that were not written.
    pub outdated: Vec<Workload>,
    /// Workloads of which a write failed.
    pub(super) stopped: Vec<Workload>,
    /// What failed and is tried again, in order, but for races that were lost: the workload, or none for the
    /// flags, and what was to be done.
    pub failed: Vec<(Option<Workload>, String)>,
    /// Whether something could not be read, so that what hangs on it was not planned.
    pub unread: bool,
    /// Whether the flags were written.
    pub flags_written: bool,
    /// Whether the flags do not stand as planned.
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
        self.go_on(Applied::default(), writes).await
    }

    /// Carries a plan out of which something could not be read: the rest of it, and it is tried again.
    pub async fn apply_after(&self, unread: Option<ApiError>, plan: &Plan) -> Applied {
        let is_unread = unread.is_some();
        let (before, after) = if plan.recovering {
            (unread, None)
        } else {
            (None, unread)
        };
        let before = Applied {
            retry: before,
            unread: is_unread,
            ..Applied::default()
        };
        let mut applied = self.go_on(before, &plan.writes).await;
        applied.retry = applied.retry.or(after);
        applied
    }

    async fn go_on(&self, mut applied: Applied, writes: &[Write]) -> Applied {
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
                Write::Scale { .. } | Write::Bounds { .. } | Write::Pause { .. } => {
                    self.move_replicas(write, &mut applied).await;
                }
            }
        }
        applied
    }

    /// One write about a workload. After one that failed there is none for the same workload: with
    /// bounds that are not moved an autoscaler would only take the number back.
    async fn move_replicas(&self, write: &Write, applied: &mut Applied) {
        let Some(workload) = write.workload() else {
            return;
        };
        if applied.stopped.contains(workload) {
            return;
        }
        let moved = scaling::carry_out(self.client, &self.namespace(), write).await;
        self.metrics.wrote(scaling::kind(write), moved.is_ok());
        match moved {
            Ok(Some(moved)) => applied.moved.push((workload.clone(), moved)),
            Ok(None) => {}
            Err(err) => {
                let untouched = applied.moved.iter().all(|(other, _)| other != workload);
                if untouched && matches!(err, ApiError::Changed) {
                    applied.outdated.push(workload.clone());
                }
                if scaling::restores(write) {
                    applied.unrestored.push(workload.clone());
                }
                applied.stopped.push(workload.clone());
                self.note(applied, err, Some(workload), scaling::what(write));
            }
        }
    }

    fn flags_written(&self, result: Result<(), ApiError>, applied: &mut Applied) {
        self.metrics.wrote("flags", result.is_ok());
        applied.flags_written = result.is_ok();
        if let Err(err) = result {
            applied.flags_failed = true;
            let what = format!("write the ConfigMap {}", self.config_map);
            self.note(applied, err, None, what);
        }
    }

    /// Sorts a failure: what somebody must mend is a refusal, the rest is tried again. The server's own words
    /// are for the log alone.
    fn note(
        &self,
        applied: &mut Applied,
        err: ApiError,
        workload: Option<&Workload>,
        what: String,
    ) {
        tracing::warn!(
            namespace = self.namespace(),
            policy = self.policy.name_any(),
            error = %err,
            what,
            "a write failed"
        );
        match err {
            ApiError::Forbidden(message) => applied.refusals.push(Refusal {
                reason: conditions::FORBIDDEN,
                message: format!(
                    "the API server does not let the operator {what}: 403 Forbidden, {}",
                    words::refusal(&message)
                ),
            }),
            ApiError::Invalid(message) => applied.refusals.push(Refusal {
                reason: conditions::FORBIDDEN,
                message: format!(
                    "the API server refuses to {what}: 422 Invalid, {}",
                    words::refusal(&message)
                ),
            }),
            // The namespace is going: nothing can be created there, and nothing needs to be.
            ApiError::NamespaceTerminating => {}
            other => {
                if !matches!(other, ApiError::Changed | ApiError::Stopping) {
                    applied.failed.push((workload.cloned(), what));
                }
                applied.retry = applied.retry.take().or(Some(other));
            }
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
        self.failed.extend(former.failed);
        self.retry = self.retry.take().or(former.retry);
    }

    /// Whether a workload, or the flags where it is none, was written.
    pub fn is_done(&self, workload: Option<&Workload>) -> bool {
        workload.map_or(self.flags_written, |workload| {
            self.moved.iter().any(|(moved, _)| moved == workload)
        })
    }

    /// Whether something about a workload, or the flags where it is none, is still to be done.
    pub fn is_undone(&self, workload: Option<&Workload>) -> bool {
        workload.map_or(self.flags_failed, |workload| {
            self.stopped.contains(workload)
        })
    }
}

/// Our field manager on every POST and PUT.
pub fn post_params() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// Our field manager on every PATCH.
pub fn patch_params() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

/// How long any one request may take.
pub const DEADLINE: Duration = Duration::from_secs(10);
