//! `status` of a `BotDegradationPolicy`: what the operator reports, and what it must not forget.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::time::StatusTime;
use crate::policy::WorkloadKind;

/// The most entries that [`BotDegradationPolicyStatus::history`] holds; one more and the API server
/// refuses the whole status.
pub const MAX_HISTORY: usize = 50;
/// The most characters of a sentence in status.
pub const MAX_SENTENCE: usize = 512;
/// The most characters of a word in status.
pub const MAX_WORD: usize = 64;

/// What the operator reports. Written only when something in it changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BotDegradationPolicyStatus {
    /// The metadata.generation that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The level that is applied: 0 is Normal, 1 to 8 are spec.levels in their order.
    #[serde(default)]
    #[schemars(range(min = 0, max = 8))]
    pub level: i32,
    /// The name of that level.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub level_name: String,
    /// The level that was decided on; it differs from level under maxLevel, a pin or DryRun.
    #[serde(default)]
    #[schemars(range(min = 0, max = 8))]
    pub desired_level: i32,
    /// When the level was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<StatusTime>,
    /// Why the level is what it is.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub reason: String,
    /// The names of spec.levels as they were when last seen, mildest first: an edit keeps the level by its
    /// name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub level_names: Vec<String>,
    /// What each workload had before the policy touched it, kept while an incident lasts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub baseline: Vec<Baseline>,
    /// The flags ConfigMap as it was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<FlagsStatus>,
    /// The pin that holds now, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PinStatus>,
    /// What flap damping remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damping: Option<DampingStatus>,
    /// Since when a signal that is compared cannot be read, without a break. The policy is blind once that
    /// has lasted for missing.after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind_since: Option<StatusTime>,
    /// The last changes of level, oldest first, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub history: Vec<HistoryEntry>,
    /// Ready, Degraded, MetricsAvailable, Pinned and Flapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What a workload had before the policy touched it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// What the workload is: Deployment or StatefulSet.
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its replicas before.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// The replicas that the policy has set instead: any other number is somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub applied: Option<i32>,
    /// Its HorizontalPodAutoscaler and that one's bounds before; absent where it has none, or KEDA's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<AutoscalerBaseline>,
    /// The ScaledObject of KEDA that scales it; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_object: Option<ScaledObjectBaseline>,
    /// When somebody has set the workload or its autoscaler back lately. Three times within ten minutes, and
    /// the policy leaves the workload alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub set_backs: Vec<StatusTime>,
    /// Who keeps setting the workload back, as a field manager's name, or unknown where the API server keeps
    /// none; while this is set the policy leaves the workload alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub contested_by: Option<String>,
}

/// The bounds of a HorizontalPodAutoscaler before the policy touched it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoscalerBaseline {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its minReplicas before, 1 where it named none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_replicas: Option<i32>,
    /// Its maxReplicas before.
    #[schemars(range(min = 0))]
    pub max_replicas: i32,
}

/// A ScaledObject of KEDA before the policy paused it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaledObjectBaseline {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its annotation autoscaling.keda.sh/paused-replicas before; absent where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub paused_replicas: Option<String>,
}

/// The flags ConfigMap as it was last written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlagsStatus {
    /// Its name.
    #[schemars(length(max = 253))]
    pub config_map: String,
    /// The epoch of its content; it grows with each change.
    pub epoch: i64,
    /// A hash of its content.
    #[schemars(length(max = 128))]
    pub hash: String,
}

/// The pin that holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinStatus {
    /// The name of the pinned level.
    #[schemars(length(max = 63))]
    pub level: String,
    /// When the pin ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<StatusTime>,
    /// Why a person pinned it, in that person's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub reason: Option<String>,
}

/// What flap damping remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DampingStatus {
    /// The penalty as it was at that time, a decimal. A flap adds 1000, and it halves with time.
    #[schemars(length(max = 64))]
    pub penalty: String,
    /// When the penalty was last raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<StatusTime>,
    /// Since when recovery is held because of it; absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_since: Option<StatusTime>,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When the level changed.
    pub at: StatusTime,
    /// The level before, 0 is Normal.
    #[schemars(range(min = 0, max = 8))]
    pub from: i32,
    /// The level after, 0 is Normal.
    #[schemars(range(min = 0, max = 8))]
    pub to: i32,
    /// The signal that caused it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub signal: Option<String>,
    /// What that signal read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub value: Option<String>,
    /// The threshold that it was past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub threshold: Option<String>,
    /// Why, in one word, such as Escalated or Recovered.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Who: policy (decided by itself), pin (a person) or spec (an edit).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub by: Option<String>,
}

/// Kubernetes' own conditions, with the bounds that their Rust type lacks.
fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "Name of the condition, such as Ready.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 316,
                },
                "status": {
                    "description": "True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The metadata.generation that the condition is about.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string",
                    "format": "date-time",
                },
                "reason": {
                    "description": "Why, in one word.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                },
                "message": {
                    "description": "Why, in a sentence.",
                    "type": "string",
                    "maxLength": 32768,
                },
            },
        },
    })
}
