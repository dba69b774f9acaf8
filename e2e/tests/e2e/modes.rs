//! `DryRun` and `Paused`: what is decided, and what is left alone.

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::DeleteParams;
use libtest_mimic::Trial;
use serde_json::json;

use crate::faults_support::{
    SOON, at, await_level, await_live, await_reason, await_status, await_ticks, flag, now, patch,
    seen,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        needs_own_cluster(trial("modes_dry_run_writes_nothing_but_status", dry_run)),
        trial(
            "modes_dry_run_hands_back_and_enforce_takes_up",
            to_dry_run_and_back,
        ),
        trial("modes_paused_keeps_the_level_and_starts_anew", paused),
    ]
}

const WORKER: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 2
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: worker, image: none}]}
";

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: NAME}
spec:
  mode: MODE
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job=\"JOB\"})'}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200', for: 2s}]}
    tiers: {luxury: Disabled}
SCALE  recovery: {after: 4s}
";

const SCALE: &str = "    scale: [{name: worker, replicas: 0}]\n";

fn policy(ctx: &Ctx, name: &str, mode: &str, scale: &str) -> String {
    POLICY
        .replace("NAME", name)
        .replace("MODE", mode)
        .replace("JOB", ctx.job())
        .replace("SCALE", scale)
}

async fn dry_run(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    ctx.apply(WORKER).await?;
    let audit = ctx.cluster().audit()?;
    let mark = audit.mark()?;
    let operator = ctx.operator().await?;
    ctx.apply(&policy(&ctx, "bot", "DryRun", SCALE)).await?;
    await_ticks(&operator, "bot", 2).await?;

    depth.set(500.0);
    let up = await_desired(&ctx, "bot", 1).await?;
    ensure!(
        up.level == 0 && up.level_name == "Normal",
        "nothing is applied"
    );
    depth.set(0.0);
    let down = await_desired(&ctx, "bot", 0).await?;
    let reasons: Vec<&str> = down.history.iter().map(|e| e.reason.as_str()).collect();
    ensure!(
        reasons == ["Escalated", "Recovered"],
        "history: {reasons:?}"
    );

    ensure!(replicas(&ctx).await? == 2, "the worker was scaled");
    let flags = ctx.api::<ConfigMap>().get_opt("bot-flags").await?;
    ensure!(flags.is_none(), "flags were published");
    let writes = audit.writes_by(&ctx.operator_user(), mark)?;
    ensure!(!writes.is_empty(), "the audit log knows the operator");
    for write in writes {
        let object = write.object_ref.clone().unwrap_or_default();
        let (what, part) = (object.resource.as_str(), object.subresource.as_str());
        let allowed =
            what == "events" || what == "botdegradationpolicies" && matches!(part, "" | "status");
        ensure!(allowed, "a dry run wrote: {write}");
    }
    Ok(())
}

async fn to_dry_run_and_back(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    depth.set(500.0);
    ctx.apply(WORKER).await?;
    let _operator = ctx.operator().await?;
    ctx.apply(&policy(&ctx, "bot", "Enforce", SCALE)).await?;
    await_level(&ctx, "bot", 1).await?;
    await_replicas(&ctx, 0).await?;
    ensure!(flag(&ctx, "bot", "animations").await? == "false");

    patch(&ctx, "bot", json!({"spec": {"mode": "DryRun"}})).await?;
    await_replicas(&ctx, 2).await?;
    let status = await_status(&ctx, "bot", "everything handed back", |status| {
        status.level == 0 && status.baseline.is_empty() && status.flags.is_none()
    })
    .await?;
    ensure!(status.desired_level == 1, "deciding goes on");
    ensure!(flag(&ctx, "bot", "animations").await? == "true");
    let map = ctx.api::<ConfigMap>().get("bot-flags").await?;
    let labelled = map.labels().contains_key("brownout.dev/policy");
    ensure!(!labelled, "the flags were not let go of");

    patch(&ctx, "bot", json!({"spec": {"mode": "Enforce"}})).await?;
    await_level(&ctx, "bot", 1).await?;
    await_replicas(&ctx, 0).await?;
    await_flag(&ctx, "bot", "false").await?;
    depth.set(0.0);
    await_level(&ctx, "bot", 0).await?;
    await_replicas(&ctx, 2).await?;
    await_flag(&ctx, "bot", "true").await
}

/// A second policy, which is not paused, shows what would have been done meanwhile.
async fn paused(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    depth.set(500.0);
    let operator = ctx.operator().await?;
    ctx.apply(&policy(&ctx, "bot", "Enforce", "")).await?;
    ctx.apply(&policy(&ctx, "twin", "Enforce", "")).await?;
    await_level(&ctx, "bot", 1).await?;
    await_level(&ctx, "twin", 1).await?;

    patch(&ctx, "bot", json!({"spec": {"mode": "Paused"}})).await?;
    await_live(&operator, "bot", "a rest", |live| {
        live["phase"] == "Resting"
    })
    .await?;
    await_observed(&ctx, "bot").await?;
    let before = seen(&ctx, "bot").await?;
    depth.set(0.0);
    await_level(&ctx, "twin", 0).await?;
    ensure!(
        seen(&ctx, "bot").await? == before,
        "a paused policy changed"
    );
    ctx.api::<ConfigMap>()
        .delete("bot-flags", &DeleteParams::default())
        .await?;
    await_flag(&ctx, "bot", "false")
        .await
        .context("flags are kept right")?;

    let resumed = now();
    patch(&ctx, "bot", json!({"spec": {"mode": "Enforce"}})).await?;
    let status = await_level(&ctx, "bot", 0).await?;
    let recovered = status.history.last().map(at).context("no history")?;
    let after = recovered - resumed;
    ensure!(
        after >= 4000,
        "it recovered {after} ms after the pause, not 4 s"
    );
    await_reason(&ctx, "bot", "Degraded", ("False", "Normal")).await?;
    Ok(())
}

async fn await_observed(ctx: &Ctx, name: &str) -> Result<()> {
    await_condition("the status to follow the spec", SOON, || async {
        let policy = crate::faults_support::policy(ctx, name).await?;
        let observed = policy.status.as_ref().and_then(|s| s.observed_generation);
        Ok((observed == policy.metadata.generation).then_some(()))
    })
    .await
}

async fn await_desired(
    ctx: &Ctx,
    name: &str,
    level: i32,
) -> Result<brownout::api::BotDegradationPolicyStatus> {
    await_status(ctx, name, &format!("desiredLevel {level}"), |status| {
        status.desired_level == level
    })
    .await
}

async fn await_flag(ctx: &Ctx, name: &str, value: &str) -> Result<()> {
    await_condition(&format!("animations to be {value}"), SOON, || async {
        Ok((flag(ctx, name, "animations").await? == value).then_some(()))
    })
    .await
}

async fn await_replicas(ctx: &Ctx, count: i32) -> Result<()> {
    await_condition(&format!("{count} replicas"), SOON, || async {
        Ok((replicas(ctx).await? == count).then_some(()))
    })
    .await
}

async fn replicas(ctx: &Ctx) -> Result<i32> {
    let worker = ctx.api::<Deployment>().get("worker").await?;
    let replicas = worker.spec.and_then(|spec| spec.replicas);
    replicas.context("no replicas")
}
