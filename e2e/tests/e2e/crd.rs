//! The definitions against a real API server: what it takes, what it refuses and in which words.

#[path = "../../fixtures/crd/rows.rs"]
mod rows;

use anyhow::{Context as _, Result, ensure};
use axum::http::Request;
use brownout::api::conditions::{
    DEGRADED, FLAPPING, HOLDING, MAX_MESSAGE, METRICS_AVAILABLE, PINNED, READY, set_condition,
};
use brownout::api::{
    BotDegradationPolicySpec, BotDegradationPolicyStatus, HistoryEntry, MAX_HISTORY, MAX_SENTENCE,
    MAX_WORD,
};
use brownout::policy::from_spec;
use e2e::harness::{Ctx, trial};
use kube::Client;
use kube::client::Body;
use libtest_mimic::Trial;
use serde_json::{Value, json};

const GROUP: &str = "/apis/brownout.dev/v1alpha1";
/// Judge, and write nothing; unknown fields are errors, as they are for kubectl.
const DRY_RUN: &str = "dryRun=All&fieldValidation=Strict";

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("crd_applies_without_a_warning", applies_without_a_warning),
        trial("crd_takes_good_policies", takes_good_policies),
        trial("crd_refuses_bad_policies", refuses_bad_policies),
        trial("crd_judges_the_largest_policy", judges_the_largest_policy),
        trial("crd_judges_sources", judges_sources),
        trial("crd_writes_defaults_out", writes_defaults_out),
        trial("crd_takes_the_largest_status", takes_the_largest_status),
    ]
}

async fn applies_without_a_warning(ctx: Ctx) -> Result<()> {
    for (file, yaml) in brownout::api::crd::files() {
        let definition: Value = serde_saphyr::from_str(&yaml)?;
        let name = text(&definition, "/metadata/name")?;
        let path = format!(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}?fieldManager=e2e&force=true&{DRY_RUN}"
        );
        let answer = send(&ctx.client(), APPLY, &path, yaml.into_bytes()).await?;
        answer.must_be_taken(file)?;
    }
    Ok(())
}

async fn takes_good_policies(ctx: Ctx) -> Result<()> {
    for (file, policy) in rows::good() {
        judge_policy(&ctx, &policy).await?.must_be_taken(&file)?;
    }
    Ok(())
}

async fn refuses_bad_policies(ctx: Ctx) -> Result<()> {
    for (row, policy) in rows::bad() {
        let answer = judge_policy(&ctx, &policy).await?;
        answer.must_be_refused(&row.name, row.says.iter().chain(&row.server))?;
    }
    Ok(())
}

/// The rules have a budget at run time as well, which only an object at all bounds uses up.
async fn judges_the_largest_policy(ctx: Ctx) -> Result<()> {
    let policy = largest_policy();
    judge_policy(&ctx, &policy)
        .await?
        .must_be_taken("the largest policy")?;
    let spec: BotDegradationPolicySpec = serde_json::from_value(policy["spec"].clone())?;
    let understood = from_spec("bots", "largest", &spec);
    ensure!(
        understood.is_ok(),
        "the operator refuses it: {:?}",
        understood.err()
    );

    let mut unknown = policy;
    let last = &mut unknown["spec"]["levels"][7]["when"]["any"][15]["signal"];
    *last = "nope".into();
    judge_policy(&ctx, &unknown).await?.must_be_refused(
        "an unknown signal at the very end",
        [&"one of spec.signals".to_owned()],
    )
}

async fn judges_sources(ctx: Ctx) -> Result<()> {
    for row in rows::sources() {
        let source = json!({
            "apiVersion": "brownout.dev/v1alpha1",
            "kind": "MetricsSource",
            "metadata": {"name": ctx.namespace()},
            "spec": row.spec,
        });
        let path = format!("{GROUP}/metricssources?{DRY_RUN}");
        let answer = send(&ctx.client(), CREATE, &path, serde_json::to_vec(&source)?).await?;
        match row.says.as_slice() {
            [] => answer.must_be_taken(&row.name)?,
            says => answer.must_be_refused(&row.name, says)?,
        }
    }
    Ok(())
}

async fn writes_defaults_out(ctx: Ctx) -> Result<()> {
    let policy = json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "BotDegradationPolicy",
        "metadata": {"name": "defaults"},
        "spec": {
            "signals": [{"name": "p95", "latency": {"histogram": "h"}}],
            "levels": [{
                "name": "shed",
                "when": {"any": [{"signal": "p95", "above": "1"}]},
                "scale": [{"name": "worker", "replicas": 0}],
            }],
        },
    });
    let answer = judge_policy(&ctx, &policy).await?;
    answer.must_be_taken("a policy of what is required")?;
    let stored: Value = serde_json::from_str(&answer.body)?;
    let expected = json!({
        "mode": "Enforce",
        "interval": "15s",
        "source": "default",
        "defaults": {"window": "1m", "minRequests": 1},
        "signals": [{"name": "p95", "lowTraffic": "Clear", "latency": {"histogram": "h", "quantile": "0.95"}}],
        "levels": [{
            "name": "shed",
            "when": {"any": [{"signal": "p95", "above": "1", "for": "0s"}]},
            "scale": [{"kind": "Deployment", "name": "worker", "replicas": 0}],
        }],
        "recovery": {"after": "5m", "tolerance": "10%"},
        "missing": {"after": "3m", "then": "Hold"},
    });
    ensure!(
        stored["spec"] == expected,
        "defaults are {}",
        stored["spec"]
    );
    // what the server writes out is what the types fill in
    let own: BotDegradationPolicySpec = serde_json::from_value(policy["spec"].clone())?;
    let server: BotDegradationPolicySpec = serde_json::from_value(stored["spec"].clone())?;
    ensure!(own == server, "the types have other defaults: {own:?}");
    Ok(())
}

async fn takes_the_largest_status(ctx: Ctx) -> Result<()> {
    let path = format!(
        "{GROUP}/namespaces/{}/botdegradationpolicies",
        ctx.namespace()
    );
    let (_, minimal) = rows::good()
        .into_iter()
        .find(|(file, _)| file == "minimal.yaml")
        .context("no minimal.yaml")?;
    let minimal = moved(&minimal, ctx.namespace());
    let answer = send(&ctx.client(), CREATE, &path, serde_json::to_vec(&minimal)?).await?;
    answer.must_be_taken("minimal.yaml")?;

    let status = largest_status();
    let path = format!("{path}/minimal/status?fieldValidation=Strict");
    let body = serde_json::to_vec(&json!({"status": status}))?;
    let answer = send(&ctx.client(), MERGE, &path, body).await?;
    answer.must_be_taken("the largest status")?;
    let stored: Value = serde_json::from_str(&answer.body)?;
    ensure!(
        stored["status"] == serde_json::to_value(&status)?,
        "the server stored {}",
        stored["status"]
    );
    Ok(())
}

async fn judge_policy(ctx: &Ctx, policy: &Value) -> Result<Answer> {
    let policy = moved(policy, ctx.namespace());
    let namespace = ctx.namespace();
    let path = format!("{GROUP}/namespaces/{namespace}/botdegradationpolicies?{DRY_RUN}");
    send(&ctx.client(), CREATE, &path, serde_json::to_vec(&policy)?).await
}

fn moved(policy: &Value, namespace: &str) -> Value {
    let mut policy = policy.clone();
    policy["metadata"]["namespace"] = namespace.into();
    policy
}

/// What the server answers: its code, the warnings it gives, and the object or the refusal.
struct Answer {
    taken: bool,
    warnings: Vec<String>,
    body: String,
}

impl Answer {
    fn must_be_taken(&self, name: &str) -> Result<()> {
        ensure!(self.taken, "{name} is refused: {}", self.body);
        ensure!(
            self.warnings.is_empty(),
            "{name} is warned about: {:?}",
            self.warnings
        );
        Ok(())
    }

    fn must_be_refused<'a>(
        &self,
        name: &str,
        says: impl IntoIterator<Item = &'a String>,
    ) -> Result<()> {
        ensure!(!self.taken, "{name} is taken");
        for words in says {
            ensure!(
                self.body.contains(words),
                "{name}: no {words:?} in: {}",
                self.body
            );
        }
        Ok(())
    }
}

/// Method and content type.
type Verb = (&'static str, &'static str);
const CREATE: Verb = ("POST", "application/json");
const MERGE: Verb = ("PATCH", "application/merge-patch+json");
const APPLY: Verb = ("PATCH", "application/apply-patch+yaml");

async fn send(client: &Client, verb: Verb, path: &str, object: Vec<u8>) -> Result<Answer> {
    let request = Request::builder()
        .method(verb.0)
        .uri(path)
        .header("content-type", verb.1)
        .body(Body::from(object))?;
    let answer = client.send(request).await?;
    let warnings = answer.headers().get_all("warning").iter();
    let warnings = warnings
        .map(|warning| String::from_utf8_lossy(warning.as_bytes()).into_owned())
        .collect();
    let taken = answer.status().is_success();
    let body = String::from_utf8_lossy(&answer.into_body().collect_bytes().await?).into_owned();
    let message = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|status| status["message"].as_str().map(str::to_owned));
    Ok(Answer {
        taken,
        warnings,
        body: message.filter(|_| !taken).unwrap_or(body),
    })
}

fn text<'a>(object: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("no {pointer}"))
}

/// A name of the longest kind.
fn long(prefix: &str, number: usize) -> String {
    format!("{prefix}{number:x<width$}", width = 63 - prefix.len())
}

fn largest_policy() -> Value {
    let query = "q".repeat(1024);
    let value = "v".repeat(256);
    let threshold = "-999999999999.999999999";
    let signal = |i| {
        json!({
            "name": long("s", i),
            "feature": long("f", 127),
            "query": query,
            "minSamples": {"query": query, "atLeast": "999999999999.999999999"},
        })
    };
    let feature = |i| {
        json!({
            "name": long("f", i),
            "tier": "Important",
            "values": {"enabled": value, "reduced": value, "disabled": value},
        })
    };
    let comparison =
        |_| json!({"signal": long("s", 15), "above": threshold, "for": "1h", "clear": threshold});
    let level = |i| {
        let features: serde_json::Map<_, _> =
            (0..128).map(|f| (long("f", f), "Reduced".into())).collect();
        json!({
            "name": long("l", i),
            "when": {"any": (0..16).map(comparison).collect::<Vec<_>>()},
            "tiers": {"important": "Reduced", "luxury": "Disabled"},
            "features": features,
            "scale": (0..16).map(|s| json!({"name": long("w", s), "replicas": "9999%"})).collect::<Vec<_>>(),
        })
    };
    json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "BotDegradationPolicy",
        "metadata": {"name": "largest"},
        "spec": {
            "signals": (0..16).map(signal).collect::<Vec<_>>(),
            "features": (0..128).map(feature).collect::<Vec<_>>(),
            "levels": (0..8).map(level).collect::<Vec<_>>(),
            "maxLevel": long("l", 7),
            "missing": {"then": long("l", 7)},
        },
    })
}

fn largest_status() -> BotDegradationPolicyStatus {
    let now = jiff::Timestamp::from_millisecond(1_795_000_000_250).unwrap_or_default();
    let long_text = "\u{fc}".repeat(MAX_SENTENCE);
    let entry = HistoryEntry {
        at: now.into(),
        from: 8,
        to: 0,
        signal: Some(long("s", 0)),
        value: Some("9".repeat(MAX_WORD)),
        threshold: Some("9".repeat(MAX_WORD)),
        reason: "R".repeat(MAX_WORD),
        by: Some(long_text.clone()),
    };
    let mut status = BotDegradationPolicyStatus {
        observed_generation: Some(1),
        level: 8,
        level_name: long("l", 7),
        desired_level: 8,
        since: Some(now.into()),
        reason: long_text.clone(),
        level_names: (0..8).map(|i| long("l", i)).collect(),
        history: vec![entry; MAX_HISTORY],
        ..Default::default()
    };
    for type_ in [READY, DEGRADED, METRICS_AVAILABLE, PINNED, FLAPPING] {
        let message = "\u{fc}".repeat(2 * MAX_MESSAGE);
        let conditions = &mut status.conditions;
        set_condition(conditions, type_, true, HOLDING, &message, Some(1), now);
    }
    status
}
