//! `MetricsSource`: where and how to query. The platform admin owns it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::schema;

/// Where and how to query.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "brownout.dev",
    version = "v1alpha1",
    kind = "MetricsSource",
    plural = "metricssources",
    shortname = "msrc",
    category = "brownout",
    derive = "PartialEq",
    doc = "A Prometheus, or a server that speaks its query API, and who may ask it. BotDegradationPolicies name it in spec.source.",
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".spec.prometheus.url",
        description = "Where the queries go"
    ),
    printcolumn(
        name = "Tenancy",
        type_ = "string",
        json_path = ".spec.tenancy.label",
        description = "The label that holds each namespace to its own series"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSourceSpec {
    /// The server and how to reach it.
    pub prometheus: PrometheusSpec,
    /// The namespaces whose policies may use this source: names or a label selector. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// Holds each namespace to its own series. Default: none, every policy may read every series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<TenancySpec>,
    /// How many queries may run at once. The policies of one namespace get at most half of these turns (at
    /// least one), so that their slow queries leave the others theirs. From 1 to 256. Default 8.
    #[serde(default = "default_max_concurrent_queries")]
    #[schemars(range(min = 1, max = 256))]
    pub max_concurrent_queries: i32,
}

/// The server and how to reach it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.tls) || self.url.startsWith('https://')")
        .message("tls needs an https url: write url: https://... or leave tls out")
        .field_path(".tls"),
)]
pub struct PrometheusSpec {
    /// Base URL, such as http://prometheus.monitoring:9090 or https://mimir.example/prometheus; /api/v1/query
    /// is added. No credentials, query or fragment in it. At most 1024 characters.
    #[schemars(schema_with = "url")]
    pub url: String,
    /// How long an answer may take, such as 5s. From 100ms to 2m. Default 5s.
    #[serde(default = "default_timeout")]
    #[schemars(schema_with = "timeout")]
    pub timeout: String,
    /// HTTP headers of each request, such as X-Scope-OrgID, at most 16. Credentials belong into auth.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "headers")]
    pub headers: BTreeMap<String, String>,
    /// Parameters of each request, such as dedup or partial_response, at most 16. VictoriaMetrics needs
    /// latency_offset: 1s, or it answers with what was true 30 seconds ago.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "query_params")]
    pub query_params: BTreeMap<String, String>,
    /// How far in the past signals are evaluated, for servers whose samples arrive late. From 0s to 1h.
    /// Default 0s.
    #[serde(default = "default_evaluation_delay")]
    #[schemars(schema_with = "evaluation_delay")]
    pub evaluation_delay: String,
    /// How the server's certificate is checked; only with https. Default: the well-known authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// How Brownout authenticates: exactly one of bearerTokenSecret, basicAuthSecret, serviceAccountToken.
    /// Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSpec>,
}

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsSpec {
    /// Secret with the certificates (PEM) of the authorities to trust, and of no others, in the operator's own
    /// namespace; key ca.crt by default. Not used with insecureSkipVerify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<SecretKey>,
    /// Do not check the certificate at all: anyone on the way can then answer in the server's place.
    /// Default false.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

/// How Brownout authenticates. Exactly one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.bearerTokenSecret), has(self.basicAuthSecret), has(self.serviceAccountToken)].filter(x, x).size() == 1")
        .message("auth: set exactly one of bearerTokenSecret, basicAuthSecret, serviceAccountToken"),
)]
pub struct AuthSpec {
    /// Secret with a bearer token, in the operator's own namespace; key token by default. A token that is
    /// replaced there is used at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_secret: Option<SecretKey>,
    /// Secret of type kubernetes.io/basic-auth, in the operator's own namespace; its keys are username and
    /// password. What is replaced there is used at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth_secret: Option<SecretName>,
    /// A token of the operator's own service account, for an hour at most and replaced before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_token: Option<ServiceAccountToken>,
}

/// One key of a Secret in the operator's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(schema_with = "secret_name")]
    pub name: String,
    /// Key in the Secret. Default: token for a bearer token, ca.crt for authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "secret_key")]
    pub key: Option<String>,
}

/// A Secret in the operator's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretName {
    /// Name of the Secret.
    #[schemars(schema_with = "secret_name")]
    pub name: String,
}

/// A short-lived token of the operator's own service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.audience.matches('^([^:]*://)?kubernetes[.]default([.:/]|$)')")
        .message("serviceAccountToken.audience must not be the API server's, whose tokens are sent nowhere else: write the audience that the metrics server expects, such as prometheus")
        .field_path(".audience"),
)]
pub struct ServiceAccountToken {
    /// The audience the token is for, as the server expects it, and not the API server's own
    /// (kubernetes.default.svc). At most 253 characters.
    #[schemars(length(min = 1, max = 253))]
    pub audience: String,
}

/// The namespaces whose policies may use a source. Exactly one of names and selector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.names) != has(self.selector)")
        .message("allowedNamespaces: set exactly one of names, selector; leave allowedNamespaces out to allow all"),
)]
pub struct AllowedNamespaces {
    /// Names of namespaces, at most 256. An empty list allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub names: Option<Vec<String>>,
    /// Selects namespaces by their labels: matchLabels and matchExpressions, as everywhere in Kubernetes. An
    /// empty selector allows all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "selector")]
    pub selector: Option<LabelSelector>,
}

/// Holds each namespace to its own series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.label != 'le'")
        .message("tenancy.label must not be le, which belongs to histograms: write the label that carries the namespace, such as namespace")
        .field_path(".label"),
)]
pub struct TenancySpec {
    /// The label that carries the namespace, such as namespace: every selector of every query also gets this
    /// label with the policy's own namespace. A query that asks for another namespace, or that cannot be
    /// held to one, is refused (QueryRefused). It protects as well as whoever sets the label at ingestion
    /// is trusted, and only where no other source lets the same namespaces ask the same server without
    /// it. At most 128 characters.
    #[schemars(schema_with = "tenancy_label")]
    pub label: String,
}

impl MetricsSourceSpec {
    /// Whether policies of a namespace with these labels may use the source. A selector that cannot be
    /// understood allows none.
    pub fn allows(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let Some(allowed) = &self.allowed_namespaces else {
            return true;
        };
        let named = allowed
            .names
            .as_ref()
            .is_some_and(|names| names.iter().any(|n| n == namespace));
        let selected = allowed.selector.clone().is_some_and(|selector| {
            Selector::try_from(selector).is_ok_and(|selector| selector.matches(labels))
        });
        named || selected
    }
}

const fn default_max_concurrent_queries() -> i32 {
    8
}

fn default_timeout() -> String {
    "5s".into()
}

fn default_evaluation_delay() -> String {
    "0s".into()
}

fn url(_: &mut SchemaGenerator) -> Schema {
    let message = "url must be http://host[:port][/path] or https://..., without credentials, query or fragment; credentials belong into auth";
    schema::text(r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$", 1024, message)
}

fn timeout(_: &mut SchemaGenerator) -> Schema {
    schema::duration("timeout", "100ms", "2m", "5s")
}

fn evaluation_delay(_: &mut SchemaGenerator) -> Schema {
    schema::duration("evaluationDelay", "0s", "1h", "30s")
}

fn headers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 1024, "pattern": "^[ -~]*$"},
        "x-kubernetes-validations": [{
            "rule": "self.all(k, k.matches('^[A-Za-z0-9-]{1,64}$') && !(k.lowerAscii() in ['authorization', 'proxy-authorization', 'host', 'content-length', 'transfer-encoding', 'connection']))",
            "message": "headers: names are letters, digits and -; the connection's own headers cannot be set, and Authorization belongs into auth",
        }],
    })
}

fn query_params(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-validations": [{
            "rule": "self.all(k, size(k) >= 1 && size(k) <= 64 && !(k in ['query', 'time', 'start', 'end', 'step', 'timeout']))",
            "message": "queryParams: query, time, start, end, step and timeout are set by Brownout; remove them (spec.prometheus.timeout sets the timeout)",
        }],
    })
}

fn secret_name(_: &mut SchemaGenerator) -> Schema {
    schema::object("the Secret's name")
}

fn secret_key(_: &mut SchemaGenerator) -> Schema {
    let message = "the Secret's key may hold letters, digits, -, _ and .";
    schema::text("^[-._a-zA-Z0-9]+$", schema::MAX_OBJECT, message)
}

fn tenancy_label(_: &mut SchemaGenerator) -> Schema {
    let message = "tenancy.label must be the name of a label, such as namespace: letters, digits and _, not beginning with a digit or two _";
    schema::text(
        "^(_?[a-zA-Z][a-zA-Z0-9_]*|_[0-9][a-zA-Z0-9_]*)$",
        128,
        message,
    )
}

/// The selector as Kubernetes has it, with the bounds that its own type lacks.
fn selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels that a namespace must have, name and value.",
                "type": "object",
                "maxProperties": 16,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "description": "Requirements that a namespace's labels must all meet.",
                "type": "array",
                "maxItems": 16,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"description": "Name of the label.", "type": "string", "minLength": 1, "maxLength": 317},
                        "operator": {
                            "description": "How the label is held against values: In, NotIn, Exists or DoesNotExist.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values, for In and NotIn at least one, for Exists and DoesNotExist none.",
                            "type": "array",
                            "maxItems": 64,
                            "items": {"type": "string", "maxLength": 63},
                            "x-kubernetes-list-type": "atomic",
                        },
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allows(allowed: serde_json::Value, namespace: &str, team: &str) -> bool {
        let mut spec = json!({"prometheus": {"url": "http://prometheus:9090"}});
        if !allowed.is_null() {
            spec["allowedNamespaces"] = allowed;
        }
        let spec: MetricsSourceSpec = serde_json::from_value(spec).expect("a spec");
        spec.allows(namespace, &BTreeMap::from([("team".into(), team.into())]))
    }

    /// What it says is tried on a real API server; that it is there is seen here.
    #[test]
    fn the_api_servers_own_audience_has_a_rule() {
        let crd = serde_json::to_value(<MetricsSource as kube::CustomResourceExt>::crd());
        let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/prometheus/properties/auth\
                    /properties/serviceAccountToken/x-kubernetes-validations/0";
        let crd = crd.expect("a definition");
        let rule = crd.pointer(path).expect("a rule");
        let text = |field: &str| rule[field].as_str().unwrap_or_default().to_owned();
        assert!(text("rule").contains("kubernetes[.]default"), "{rule}");
        assert!(text("message").contains("write the audience"), "{rule}");
        assert_eq!(text("fieldPath"), ".audience");
    }

    #[test]
    fn a_source_allows_all_unless_it_says_otherwise() {
        let chat = json!({"selector": {"matchLabels": {"team": "chat"}}});
        let not_chat = json!({"selector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["chat"]}]}});
        let nonsense =
            json!({"selector": {"matchExpressions": [{"key": "team", "operator": "Perhaps"}]}});
        for (allowed, namespace, team, expected) in [
            (json!(null), "bots", "chat", true),
            (json!({"names": ["bots"]}), "bots", "chat", true),
            (json!({"names": ["bots"]}), "shop", "chat", false),
            (json!({"names": []}), "bots", "chat", false),
            (chat.clone(), "bots", "chat", true),
            (chat, "bots", "shop", false),
            (not_chat, "bots", "chat", false),
            (json!({"selector": {}}), "bots", "chat", true),
            (nonsense, "bots", "chat", false),
            (json!({}), "bots", "chat", false),
        ] {
            assert_eq!(
                allows(allowed.clone(), namespace, team),
                expected,
                "{allowed} {namespace} {team}"
            );
        }
    }
}
