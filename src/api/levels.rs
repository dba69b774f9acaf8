//! `spec.features` and `spec.levels`: what the bot can do, and the ladder it climbs down.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::schema;
use crate::policy::{State, Tier, WorkloadKind};

/// Something the bot can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureSpec {
    /// Name of the feature, unique in the policy: its key in the flags ConfigMap. Letters, digits, - and _,
    /// no dots, at most 63 characters.
    #[schemars(schema_with = "feature_name")]
    pub name: String,
    /// How dear it is. Critical: always enabled. Important: may be reduced or disabled. Luxury: first to go.
    pub tier: Tier,
    /// What the flags say for each state: three integers or three strings. Default: a plain boolean, true
    /// when Enabled and false when Disabled, which knows no Reduced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<FeatureValues>,
}

/// What the flags say for each state of a feature: three integers or three strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[self.enabled, self.reduced, self.disabled].all(v, type(v) == int) || [self.enabled, self.reduced, self.disabled].all(v, type(v) == string)")
        .message("values must be three integers or three strings, not a mixture: write all three with quotes or all three without"),
)]
pub struct FeatureValues {
    /// Value while the feature is Enabled: an integer, or a string of at most 256 characters.
    #[schemars(schema_with = "schema::flag_value")]
    pub enabled: FlagValue,
    /// Value while the feature is Reduced, of the same type as enabled.
    #[schemars(schema_with = "schema::flag_value")]
    pub reduced: FlagValue,
    /// Value while the feature is Disabled, of the same type as enabled.
    #[schemars(schema_with = "schema::flag_value")]
    pub disabled: FlagValue,
}

/// An integer or a string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FlagValue {
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

/// One rung of the ladder. A level includes all the rungs before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.tiers) || has(self.features) || has(self.scale)")
        .message("a level must do something: write at least one of tiers, features, scale"),
)]
pub struct LevelSpec {
    /// Name of the level, unique in the policy: shown in status, used to pin it. Letters, digits, - and _,
    /// at most 63 characters. Normal and Hold are reserved, in any case.
    #[schemars(schema_with = "level_name")]
    pub name: String,
    /// What makes the policy escalate to this level.
    pub when: WhenSpec,
    /// The state of all features of a tier from this level on. Critical features are always enabled, so
    /// only important and luxury exist. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TiersSpec>,
    /// The state of single features from this level on, by name; stands over this level's tiers. At most
    /// 128. A feature never becomes less degraded from one level to the next. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "level_features")]
    pub features: Option<BTreeMap<String, State>>,
    /// Replicas of workloads in the policy's namespace from this level on. Where a HorizontalPodAutoscaler or
    /// KEDA scales one, that is set for the number too, and given back. At most 16. Default: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub scale: Option<Vec<ScaleSpec>>,
}

/// What makes the policy escalate to a level. Exactly one of any and all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.any) != has(self.all)").message("when: set exactly one of any, all"),
)]
pub struct WhenSpec {
    /// Comparisons of which one suffices, 1 to 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub any: Option<Vec<ComparisonSpec>>,
    /// Comparisons that must all hold at once, 1 to 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub all: Option<Vec<ComparisonSpec>>,
}

/// A signal held against a threshold. Exactly one of above and below.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.above) != has(self.below)")
        .message("set exactly one of above, below"),
    validation = Rule::new("!has(self.clear) || !has(self.above) || !isQuantity(self.clear) || !isQuantity(self.above) || quantity(self.clear).compareTo(quantity(self.above)) <= 0")
        .message(Message::Expression("'with above, clear must be at most the threshold: ' + self.clear + ' is more than ' + self.above".into()))
        .field_path(".clear"),
    validation = Rule::new("!has(self.clear) || !has(self.below) || !isQuantity(self.clear) || !isQuantity(self.below) || quantity(self.clear).compareTo(quantity(self.below)) >= 0")
        .message(Message::Expression("'with below, clear must be at least the threshold: ' + self.clear + ' is less than ' + self.below".into()))
        .field_path(".clear"),
)]
pub struct ComparisonSpec {
    /// The signal, one of spec.signals.
    #[schemars(schema_with = "compared_signal")]
    pub signal: String,
    /// Breached while the signal is greater than this, in the signal's unit and in quotes, such as "1.5". A
    /// plain decimal with at most 12 digits before the point and 9 after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "above")]
    pub above: Option<String>,
    /// Breached while the signal is less than this, in the signal's unit and in quotes, such as "0.99". A
    /// plain decimal with at most 12 digits before the point and 9 after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "below")]
    pub below: Option<String>,
    /// How long it must be breached before it counts, such as 30s. From 0s (at once) to 1h. Default 0s.
    #[serde(default = "default_for", rename = "for")]
    #[schemars(schema_with = "hold")]
    pub hold: String,
    /// The value at or past which it is clear again, in quotes, such as "0.02": with above at most the
    /// threshold, with below at least. Default: the threshold less (below: plus) recovery.tolerance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "clear")]
    pub clear: Option<String>,
}

/// The state of all features of a tier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1))]
pub struct TiersSpec {
    /// State of the Important features. A plain boolean knows no Reduced and stays enabled then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub important: Option<State>,
    /// State of the Luxury features. A plain boolean knows no Reduced and stays enabled then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub luxury: Option<State>,
}

/// The replicas of one workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleSpec {
    /// What the workload is: Deployment or StatefulSet. Default Deployment.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// Name of the workload, in the policy's namespace.
    #[schemars(schema_with = "workload_name")]
    pub name: String,
    /// How many replicas it gets: a number from 0 to 10000, or a percentage in quotes such as "150%", of
    /// what it had before the policy touched it, rounded up.
    #[schemars(schema_with = "schema::replicas")]
    pub replicas: IntOrString,
}

fn default_for() -> String {
    "0s".into()
}

fn feature_name(_: &mut SchemaGenerator) -> Schema {
    schema::feature("features.name")
}

fn level_name(_: &mut SchemaGenerator) -> Schema {
    let mut schema = schema::name("levels.name");
    if let Some(rules) = schema
        .get_mut("x-kubernetes-validations")
        .and_then(|rules| rules.as_array_mut())
    {
        rules.push(serde_json::json!({
            "rule": "!(self.lowerAscii() in ['normal', 'hold'])",
            "message": "levels.name must not be Normal or Hold, in any case: these are reserved; choose another name",
        }));
    }
    schema
}

fn level_features(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 128,
        "additionalProperties": State::json_schema(generator),
    })
}

fn compared_signal(_: &mut SchemaGenerator) -> Schema {
    schema::name("when.signal")
}

fn above(_: &mut SchemaGenerator) -> Schema {
    schema::decimal("above")
}

fn below(_: &mut SchemaGenerator) -> Schema {
    schema::decimal("below")
}

fn clear(_: &mut SchemaGenerator) -> Schema {
    schema::decimal("clear")
}

fn hold(_: &mut SchemaGenerator) -> Schema {
    schema::duration("for", "0s", "1h", "30s")
}

fn workload_name(_: &mut SchemaGenerator) -> Schema {
    schema::object("scale.name")
}
