//! Writes that fail for as long as something is down, such as a webhook that must say yes: the policy says so,
//! and one that is deleted goes all the same and leaves word of what it had.

use std::time::Duration;

use anyhow::{Result, ensure};
use brownout::api::BotDegradationPolicy;
use brownout::api::conditions::WRITE_FAILED;
use brownout::flags::POLICY_LABEL;
use e2e::exporter::{Exporter, Gauge};
use e2e::fault_proxy::{Fault, FaultProxy, Rule};
use e2e::harness::{Ctx, trial, trial_within};
use e2e::operator::Operator;
use e2e::wait::await_condition;
use kube::ResourceExt as _;
use libtest_mimic::Trial;

use crate::support::{
    GAUGE, PolicyYaml, SOON, await_event, await_flags, await_level, await_ready, await_reason,
    await_replicas, delete_policy, ready_message, replicas, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("writes_that_go_on_failing_are_told", are_told),
        trial_within(
            LET_GO_WITHIN * 2,
            "writes_that_go_on_failing_do_not_keep_the_flags_of_a_deleted_policy",
            deleted,
        ),
    ]
}

/// Handing back is tried for two minutes.
const LET_GO_WITHIN: Duration = Duration::from_secs(200);
const SCALE: &str = "patch deployments/scale";

struct Scene {
    ctx: Ctx,
    depth: Gauge,
    proxy: FaultProxy,
    operator: Operator,
    _bot: Exporter,
}

impl Scene {
    async fn set(ctx: Ctx) -> Result<Self> {
        let bot = ctx.exporter().await?;
        let depth = bot.gauge(GAUGE, &[]);
        let proxy = FaultProxy::start(ctx.cluster(), &ctx.operator_user()).await?;
        let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
        options.kubeconfig = proxy.kubeconfig();
        let operator = Operator::start(ctx.environment().run.clone(), &options).await?;
        ctx.apply(&workload("Deployment", "worker", 2)).await?;
        let does = "scale: [{name: worker, replicas: 0}]\n    tiers: {luxury: Disabled}";
        let policy = PolicyYaml::new(&ctx, "bot").rung("shed", "200", does);
        ctx.apply(&policy.to_string()).await?;
        await_ready(&ctx, "bot").await?;
        Ok(Self {
            ctx,
            depth,
            proxy,
            operator,
            _bot: bot,
        })
    }

    /// As a webhook that is down and must not be passed over has the API server answer.
    fn scaling_fails(&self) {
        let fails = Fault::Answer {
            status: 500,
            retry_after: None,
        };
        self.proxy.script().set(vec![Rule::on(SCALE, fails)]);
    }

    /// Over some more tries, nothing else is written.
    async fn nothing_else_is_written(&self) -> Result<()> {
        let script = self.proxy.script();
        let from = script.seen().len();
        await_condition("some more tries", SOON, || async {
            let seen = script.seen();
            let writes = seen[from..].iter().filter(|seen| seen.asked.is_write());
            let (tries, others): (Vec<_>, Vec<_>) =
                writes.partition(|seen| seen.asked.key() == SCALE);
            let others: Vec<String> = others.iter().map(|it| it.asked.to_string()).collect();
            assert!(
                others.is_empty(),
                "written while nothing changes: {others:?}"
            );
            Ok((tries.len() >= 5).then_some(()))
        })
        .await
    }
}

async fn are_told(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    let fails = "fails when it is to patch the scale of Deployment worker";

    scene.scaling_fails();
    scene.depth.set(500.0);
    let status = await_reason(ctx, "bot", WRITE_FAILED).await?;
    ensure!(ready_message(&status).contains(fails), "{status:?}");
    let note = await_event(ctx, "bot", WRITE_FAILED).await?;
    ensure!(note.contains(fails), "{note}");
    let live = scene.operator.policies().await?;
    ensure!(live["policies"][0]["ready"] == false, "{live}");
    scene.nothing_else_is_written().await?;
    scene.proxy.script().clear();
    await_replicas(ctx, "worker", 0).await?;
    await_ready(ctx, "bot").await?;

    // the features wait for the worker, and that is told too
    scene.scaling_fails();
    scene.depth.set(0.0);
    let status = await_reason(ctx, "bot", WRITE_FAILED).await?;
    ensure!(status.level == 0, "{status:?}");
    await_flags(ctx, "bot-flags", 1).await?;
    scene.nothing_else_is_written().await?;
    scene.proxy.script().clear();
    await_replicas(ctx, "worker", 2).await?;
    await_level(ctx, "bot", 0).await?;
    await_ready(ctx, "bot").await.map(drop)
}

async fn deleted(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    scene.depth.set(500.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "worker", 0).await?;

    scene.scaling_fails();
    delete_policy(ctx, "bot").await?;
    let policies = ctx.api::<BotDegradationPolicy>();
    await_condition("the policy to be let go", LET_GO_WITHIN, || async {
        Ok(policies.get_opt("bot").await?.is_none().then_some(()))
    })
    .await?;
    let (map, _) = await_flags(ctx, "bot-flags", 0).await?;
    ensure!(!map.labels().contains_key(POLICY_LABEL), "it is not let go");
    ensure!(replicas(ctx, "worker").await? == 0, "what failed?");
    let note = await_event(ctx, "bot", "RestoreIncomplete").await?;
    let had = "Deployment worker: replicas 2";
    ensure!(note.contains(had), "{note}");
    let log = std::fs::read_to_string(scene.operator.log())?;
    let line = log
        .lines()
        .find(|line| line.contains("without having handed everything back"));
    let line = line.unwrap_or_default();
    for told in [had, ctx.namespace(), "\"policy\":\"bot\""] {
        ensure!(line.contains(told), "no {told} in {line}");
    }
    Ok(())
}
