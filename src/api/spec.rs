//! `BotDegradationPolicy`.

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::levels::{FeatureSpec, LevelSpec};
use super::schema;
use super::signals::{DefaultsSpec, SignalSpec};
use super::status::BotDegradationPolicyStatus;
use crate::policy::Mode;

/// What the bot's platform team wants: how to see that the bot is overloaded, and what it may do without.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "brownout.dev",
    version = "v1alpha1",
    kind = "BotDegradationPolicy",
    plural = "botdegradationpolicies",
    shortname = "bdp",
    category = "brownout",
    namespaced,
    status = "BotDegradationPolicyStatus",
    derive = "PartialEq",
    doc = "Sheds what a bot can live without while it is overloaded: signals from Prometheus move it up and down a ladder of degradation levels, each of which sets feature flags (one ConfigMap) and replicas.",
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("metadata.name must have at most 63 characters, since it becomes a label value: write a shorter name"),
    printcolumn(name = "Level", type_ = "string", json_path = ".status.levelName", description = "The level that holds now"),
    printcolumn(name = "Since", type_ = "date", json_path = ".status.since", description = "When that level was reached"),
    printcolumn(name = "Cause", type_ = "string", json_path = ".status.reason", description = "Why the level is what it is"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "Enforce, DryRun or Paused"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the policy is understood and carried out"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.levels.all(l, (!has(l.when.any) || l.when.any.all(c, self.signals.exists(s, s.name == c.signal))) && (!has(l.when.all) || l.when.all.all(c, self.signals.exists(s, s.name == c.signal))))")
        .message("levels: a comparison's signal is not defined; write the name of one of spec.signals")
        .field_path(".levels"),
    // by looking up features in a level's map, not the other way round: an object at all bounds costs
    // the server more than it may otherwise
    validation = Rule::new("self.levels.all(l, !has(l.features) || (has(self.features) && self.features.filter(f, f.tier != 'Critical' && f.name in l.features).size() == size(l.features)))")
        .message("levels: features may name only features of spec.features that are not Critical; remove the name or correct it")
        .field_path(".levels"),
    validation = Rule::new("!has(self.features) || self.features.all(f, has(f.values) || self.levels.all(l, !has(l.features) || !(f.name in l.features) || l.features[f.name] != 'Reduced'))")
        .message("levels: features names a plain boolean feature Reduced, which it does not know; write Disabled, or give the feature values")
        .field_path(".levels"),
    validation = Rule::new("self.signals.all(s, !has(s.feature) || (has(self.features) && self.features.exists(f, f.name == s.feature && f.tier != 'Critical')))")
        .message("signals: feature must be the name of one of spec.features that is not Critical; correct it or leave it out")
        .field_path(".signals"),
    validation = Rule::new("!has(self.maxLevel) || self.levels.exists(l, l.name == self.maxLevel)")
        .message("maxLevel must be the name of one of spec.levels; to apply nothing at all write mode: DryRun")
        .field_path(".maxLevel"),
    validation = Rule::new("!has(self.missing) || !has(self.missing.then) || self.missing.then == 'Hold' || self.levels.exists(l, l.name == self.missing.then)")
        .message("missing.then must be Hold or the name of one of spec.levels")
        .field_path(".missing.then"),
)]
pub struct BotDegradationPolicySpec {
    /// What the operator may do. Enforce: decide and apply. DryRun: decide and report, but write nothing
    /// except status, Events and the finalizer. Paused: keep the level as it is and stop deciding. Default
    /// Enforce.
    #[serde(default)]
    pub mode: Mode,
    /// How often the signals are asked, such as 15s. From 1s to 10m. Default 15s.
    #[serde(default = "default_interval")]
    #[schemars(schema_with = "interval")]
    pub interval: String,
    /// Name of the MetricsSource to ask. Default "default", which is either a MetricsSource of that name
    /// or the operator's own --prometheus-url.
    #[serde(default = "default_source")]
    #[schemars(schema_with = "source")]
    pub source: String,
    /// The highest level that may be applied, by its name; deciding on a higher one is only reported.
    /// Default: the last level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "max_level")]
    pub max_level: Option<String>,
    /// Defaults for the typed signals, latency and errorRatio.
    #[serde(default)]
    pub defaults: DefaultsSpec,
    /// What is measured, 1 to 16. Each is exactly one of latency, errorRatio and query.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub signals: Vec<SignalSpec>,
    /// What the bot can do and can be told not to, 0 to 128: the keys of the flags ConfigMap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "features")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub features: Vec<FeatureSpec>,
    /// The ladder of degradation, 1 to 8 levels, mildest first. Each level includes all those before it;
    /// below the first one is Normal, where nothing is degraded.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(
        merge_strategy = ListMerge::Atomic,
        validation = Rule::new("self.all(a, self.exists_one(b, b.name == a.name))")
            .message("levels: two levels have the same name; give each a name of its own"),
    )]
    pub levels: Vec<LevelSpec>,
    /// When to take degradation back, one level at a time.
    #[serde(default)]
    pub recovery: RecoverySpec,
    /// What to do when the signals cannot be read.
    #[serde(default)]
    pub missing: MissingSpec,
    /// The ConfigMap that the bot reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<FlagsSpec>,
}

/// When to take degradation back, one level at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoverySpec {
    /// How long a level must have held and its signals been clear before it is taken back, such as 5m.
    /// From 1s to 24h. Default 5m.
    #[serde(default = "default_recovery_after")]
    #[schemars(schema_with = "recovery_after")]
    pub after: String,
    /// How far a signal must come back past its threshold to be clear, as a percentage of the threshold.
    /// From 0% to 90%. Default 10%. A comparison's own clear stands over it.
    #[serde(default = "default_tolerance")]
    #[schemars(schema_with = "tolerance")]
    pub tolerance: String,
}

impl Default for RecoverySpec {
    fn default() -> Self {
        Self {
            after: default_recovery_after(),
            tolerance: default_tolerance(),
        }
    }
}

/// What to do when the signals cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MissingSpec {
    /// How long a signal must be unknown without a break before the policy is blind, such as 3m. From 1s to
    /// 24h. Default 3m.
    #[serde(default = "default_missing_after")]
    #[schemars(schema_with = "missing_after")]
    pub after: String,
    /// What being blind does: Hold keeps the level, a level's name escalates to that level. Nothing is taken
    /// back while blind. Default Hold.
    #[serde(default = "default_then")]
    #[schemars(schema_with = "then")]
    pub then: String,
}

impl Default for MissingSpec {
    fn default() -> Self {
        Self {
            after: default_missing_after(),
            then: default_then(),
        }
    }
}

/// The ConfigMap that the bot reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlagsSpec {
    /// Name of the ConfigMap, in the policy's namespace. One that exists without Brownout's labels is never
    /// touched. Default: the policy's name followed by -flags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "config_map")]
    pub config_map: Option<String>,
}

fn default_interval() -> String {
    "15s".into()
}

fn default_source() -> String {
    "default".into()
}

fn default_recovery_after() -> String {
    "5m".into()
}

fn default_tolerance() -> String {
    "10%".into()
}

fn default_missing_after() -> String {
    "3m".into()
}

fn default_then() -> String {
    HOLD.into()
}

/// `missing.then` that keeps the level.
pub(crate) const HOLD: &str = "Hold";

fn interval(_: &mut SchemaGenerator) -> Schema {
    schema::duration("interval", "1s", "10m", "15s")
}

fn source(_: &mut SchemaGenerator) -> Schema {
    schema::object("source")
}

fn max_level(_: &mut SchemaGenerator) -> Schema {
    schema::name("maxLevel")
}

fn features(generator: &mut SchemaGenerator) -> Schema {
    // an empty list is what leaving it out means, so no default has to be stored
    let items = generator.subschema_for::<FeatureSpec>();
    schemars::json_schema!({"type": "array", "maxItems": 128, "items": items})
}

fn recovery_after(_: &mut SchemaGenerator) -> Schema {
    schema::duration("recovery.after", "1s", "24h", "5m")
}

fn tolerance(_: &mut SchemaGenerator) -> Schema {
    let message = "recovery.tolerance must be a whole percentage from 0% to 90%, such as 10% (not 0.1 and not 10)";
    schema::text(schema::TOLERANCE, 3, message)
}

fn missing_after(_: &mut SchemaGenerator) -> Schema {
    schema::duration("missing.after", "1s", "24h", "3m")
}

fn then(_: &mut SchemaGenerator) -> Schema {
    schema::name("missing.then")
}

fn config_map(_: &mut SchemaGenerator) -> Schema {
    schema::object("flags.configMap")
}
