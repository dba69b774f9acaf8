//! What the tests of `MetricsSources` share: a source in a few lines, its Secret, and what must be seen
//! nowhere.

use std::fs;

use anyhow::{Result, ensure};
use brownout::api::{BotDegradationPolicy, MetricsSource};
use e2e::harness::Ctx;
use e2e::operator::Operator;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};

use crate::support::PolicyYaml;

/// Sources are of the whole cluster: this test's own begin with its namespace.
pub(crate) fn source_name(ctx: &Ctx, name: &str) -> String {
    format!("{}-{name}", ctx.namespace())
}

/// Applies a source, with what follows in `spec.prometheus` and in `spec`.
pub(crate) async fn apply_source(
    ctx: &Ctx,
    name: &str,
    (url, prometheus, spec): (&str, &str, &str),
) -> Result<()> {
    let (full, test) = (source_name(ctx, name), ctx.namespace());
    ctx.apply(&format!(
        "{{apiVersion: brownout.dev/v1alpha1, kind: MetricsSource, metadata: {{name: {full}, labels: {{test: {test}}}}}, \
         spec: {{prometheus: {{url: '{url}'{prometheus}}}{spec}}}}}"
    ))
    .await?;
    Ok(())
}

/// Applies a policy with one rung at 200 that asks a source.
pub(crate) async fn apply_policy(ctx: &Ctx, name: &str, source: &str, more: &str) -> Result<()> {
    let policy = PolicyYaml::new(ctx, name)
        .rung("shed-luxury", "200", "tiers: {luxury: Disabled}")
        .spec(&format!("source: {}", source_name(ctx, source)));
    let policy = if more.is_empty() {
        policy
    } else {
        policy.spec(more)
    };
    ctx.apply(&policy.to_string()).await?;
    Ok(())
}

/// Applies a Secret with these keys to the test's namespace.
pub(crate) async fn apply_secret(ctx: &Ctx, name: &str, data: &[(&str, &str)]) -> Result<()> {
    let data = data
        .iter()
        .map(|(key, value)| format!("{}: {}", serde_json::json!(key), serde_json::json!(value)));
    let data = data.collect::<Vec<_>>().join(", ");
    ctx.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}}}, stringData: {{{data}}}}}"
    ))
    .await?;
    Ok(())
}

/// An operator that reads the Secrets of the test's namespace.
pub(crate) async fn operator(ctx: &Ctx) -> Result<Operator> {
    let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
    options
        .flags
        .push(format!("--secrets-namespace={}", ctx.namespace()));
    Operator::start(ctx.environment().run.clone(), &options).await
}

/// Ends this test's sources.
pub(crate) async fn delete_sources(ctx: &Ctx) -> Result<()> {
    let sources: Api<MetricsSource> = Api::all(ctx.client());
    let ours = ListParams::default().labels(&format!("test={}", ctx.namespace()));
    sources
        .delete_collection(&DeleteParams::default(), &ours)
        .await?;
    Ok(())
}

/// Holds that none of these is anywhere where somebody could read it.
pub(crate) async fn nowhere(ctx: &Ctx, operator: &Operator, secrets: &[&str]) -> Result<()> {
    let all = ListParams::default();
    let events = ctx.api::<Event>().list(&all).await?;
    let policies = ctx.api::<BotDegradationPolicy>().list(&all).await?;
    let log = fs::read_to_string(operator.log())?;
    ensure!(log.contains("brownout"), "the log is there: {log}");
    for (place, text) in [
        ("the log", log),
        ("the metrics", operator.metrics().await?),
        ("the live JSON", operator.policies().await?.to_string()),
        ("Events", serde_json::to_string(&events)?),
        ("policies", serde_json::to_string(&policies)?),
    ] {
        for secret in secrets {
            ensure!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    Ok(())
}
