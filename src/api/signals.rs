//! `spec.signals` and the defaults of the typed ones.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::schema;
use crate::policy::LowTraffic;

/// Defaults for the typed signals, latency and errorRatio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultsSpec {
    /// Label matchers that are added to those of each typed signal, such as job="chatbotler".
    /// At most 1024 characters. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "default_matchers")]
    pub matchers: Option<String>,
    /// Range over which typed signals measure, such as 1m. From 5s to 24h. Default 1m. It should cover
    /// at least four scrapes.
    #[serde(default = "default_window")]
    #[schemars(schema_with = "default_window_schema")]
    pub window: String,
    /// Requests that typed signals need within their window: with fewer the reading is LowTraffic.
    /// From 1 to 1000000000. Default 1.
    #[serde(default = "default_min_requests")]
    #[schemars(schema_with = "min_requests")]
    pub min_requests: i32,
}

impl Default for DefaultsSpec {
    fn default() -> Self {
        Self {
            matchers: None,
            window: default_window(),
            min_requests: default_min_requests(),
        }
    }
}

/// A named measurement that yields one number. Exactly one of latency, errorRatio and query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.latency), has(self.errorRatio), has(self.query)].filter(x, x).size() == 1")
        .message("set exactly one of latency, errorRatio, query"),
    validation = Rule::new("!has(self.minSamples) || has(self.query)")
        .message("minSamples belongs to a query; with latency or errorRatio write minRequests inside it instead")
        .field_path(".minSamples"),
)]
pub struct SignalSpec {
    /// Name of the signal, unique in the policy; comparisons refer to it. Letters, digits, - and _, at
    /// most 63 characters.
    #[schemars(schema_with = "signal_name")]
    pub name: String,
    /// The feature whose own traffic this signal measures, one of spec.features that is not Critical.
    /// While that feature is Disabled its missing traffic counts as clear, since it was switched off on
    /// purpose. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signal_feature")]
    pub feature: Option<String>,
    /// A latency quantile of a classic histogram, in the histogram's unit (mostly seconds). No PromQL
    /// needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencySpec>,
    /// The share of errors among all requests, from 0 to 1. No PromQL needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ratio: Option<ErrorRatioSpec>,
    /// A PromQL expression that yields one number: a scalar, or an instant vector of one series. It must
    /// give a value also while all is well, so a root that filters, such as x > 5, is refused. At most
    /// 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signal_query")]
    pub query: Option<String>,
    /// What too little traffic (LowTraffic) says of recovery. Clear: no traffic is no overload, it counts
    /// as clear. Hold: it says nothing, and the level is kept. Default Clear.
    #[serde(default)]
    pub low_traffic: LowTraffic,
    /// Guard of a query against too little traffic: below this much the reading is LowTraffic. Only with
    /// query; the typed signals have minRequests. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<MinSamplesSpec>,
}

/// A latency quantile of a classic histogram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.histogram.endsWith('_bucket')")
        .message("histogram must be the base name, without _bucket: Brownout adds _bucket and _count itself")
        .field_path(".histogram"),
)]
pub struct LatencySpec {
    /// Base name of the histogram, without _bucket, such as bot_request_duration_seconds. At most 200
    /// characters.
    #[schemars(schema_with = "histogram")]
    pub histogram: String,
    /// The quantile, in quotes, strictly between 0 and 1, with at most 9 decimals. Default "0.95".
    #[serde(default = "default_quantile")]
    #[schemars(schema_with = "quantile")]
    pub quantile: String,
    /// Label matchers that select the requests, such as tier="Critical"; spec.defaults.matchers are added.
    /// At most 1024 characters. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signal_matchers")]
    pub matchers: Option<String>,
    /// Range over which it is measured, such as 1m. From 5s to 24h. Default: spec.defaults.window, else 1m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signal_window")]
    pub window: Option<String>,
    /// Requests needed within the window: with fewer the reading is LowTraffic. From 1 to 1000000000.
    /// Default: spec.defaults.minRequests, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "min_requests")]
    pub min_requests: Option<i32>,
}

/// The share of errors among all requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRatioSpec {
    /// Name of the counter of all requests, such as bot_requests_total. At most 200 characters.
    #[schemars(schema_with = "counter")]
    pub counter: String,
    /// Label matchers that select the errors among them, such as outcome="error". At most 1024 characters.
    #[schemars(schema_with = "errors")]
    pub errors: String,
    /// Label matchers that select the requests, such as feature="ai-chat"; spec.defaults.matchers are
    /// added. At most 1024 characters. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signal_matchers")]
    pub matchers: Option<String>,
    /// Range over which it is measured, such as 1m. From 5s to 24h. Default: spec.defaults.window, else 1m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signal_window")]
    pub window: Option<String>,
    /// Requests needed within the window: with fewer the reading is LowTraffic. From 1 to 1000000000.
    /// Default: spec.defaults.minRequests, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "min_requests")]
    pub min_requests: Option<i32>,
}

/// Guard of a query against too little traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MinSamplesSpec {
    /// A PromQL expression that counts the traffic, such as sum(increase(bot_arrivals_total[1m])). Count
    /// arrivals, not completions: an overload has many of the first and few of the second. At most 1024
    /// characters.
    #[schemars(schema_with = "samples_query")]
    pub query: String,
    /// The least count at which the signal is believed, in quotes, such as "20". A plain decimal, not
    /// negative.
    #[schemars(schema_with = "at_least")]
    pub at_least: String,
}

fn default_window() -> String {
    "1m".into()
}

fn default_quantile() -> String {
    "0.95".into()
}

const fn default_min_requests() -> i32 {
    1
}

fn signal_name(_: &mut SchemaGenerator) -> Schema {
    schema::name("signals.name")
}

fn signal_feature(_: &mut SchemaGenerator) -> Schema {
    schema::feature("signals.feature")
}

fn signal_query(_: &mut SchemaGenerator) -> Schema {
    schema::query("signals.query")
}

fn samples_query(_: &mut SchemaGenerator) -> Schema {
    schema::query("minSamples.query")
}

fn at_least(_: &mut SchemaGenerator) -> Schema {
    let message = "minSamples.atLeast must be a plain decimal in quotes, not negative, without unit or exponent, such as \"20\"";
    schema::text(schema::COUNT, 22, message)
}

fn histogram(_: &mut SchemaGenerator) -> Schema {
    schema::metric("latency.histogram")
}

fn counter(_: &mut SchemaGenerator) -> Schema {
    schema::metric("errorRatio.counter")
}

fn quantile(_: &mut SchemaGenerator) -> Schema {
    let message =
        "latency.quantile must be a decimal strictly between 0 and 1 in quotes, such as \"0.95\"";
    schema::text(schema::QUANTILE, 11, message)
}

fn default_matchers(_: &mut SchemaGenerator) -> Schema {
    schema::matchers("defaults.matchers")
}

fn signal_matchers(_: &mut SchemaGenerator) -> Schema {
    schema::matchers("matchers")
}

fn errors(_: &mut SchemaGenerator) -> Schema {
    schema::matchers("errorRatio.errors")
}

fn default_window_schema(_: &mut SchemaGenerator) -> Schema {
    schema::duration("defaults.window", "5s", "24h", "1m")
}

fn signal_window(_: &mut SchemaGenerator) -> Schema {
    schema::duration("window", "5s", "24h", "1m")
}

fn min_requests(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 1_000_000_000})
}
