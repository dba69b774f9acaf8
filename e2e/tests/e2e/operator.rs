//! The operator in its environment: starts, acts, is restarted.

use anyhow::{Result, ensure};
use e2e::fault_proxy::{Fault, FaultProxy, Rule};
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::ConfigMap;
use libtest_mimic::Trial;

use crate::support::SOON;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial(
            "operator_sheds_and_recovers_across_a_kill",
            sheds_and_recovers_across_a_kill,
        ),
        trial(
            "operator_ends_when_told_to_before_it_has_seen_a_policy",
            ends_before_it_has_seen_a_policy,
        ),
    ]
}

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job=\"JOB\"})'}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200'}]}
    tiers: {luxury: Disabled}
  recovery: {after: 2s}
";

async fn sheds_and_recovers_across_a_kill(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    let operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    await_animations(&ctx, "true").await?;

    depth.set(500.0);
    await_animations(&ctx, "false").await?;

    operator.kill()?;
    depth.set(0.0);
    operator.start_again().await?;
    await_animations(&ctx, "true").await
}

/// As in a namespace of `--namespaces` to which it has no rights.
async fn ends_before_it_has_seen_a_policy(ctx: Ctx) -> Result<()> {
    let proxy = FaultProxy::start(ctx.cluster(), &ctx.operator_user()).await?;
    let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
    options.kubeconfig = proxy.kubeconfig();
    let denied = Fault::Answer {
        status: 403,
        retry_after: None,
    };
    proxy
        .script()
        .set(vec![Rule::on("list botdegradationpolicies", denied)]);
    let operator = Operator::new(ctx.environment().run.clone(), &options)?;
    operator.launch()?;
    proxy.script().await_hits(1, SOON).await?;
    let status = operator.terminate().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

async fn await_animations(ctx: &Ctx, wanted: &str) -> Result<()> {
    let flags = ctx.api::<ConfigMap>();
    let what = format!("animations to be {wanted}");
    await_condition(&what, SOON, || async {
        let data = flags.get("bot-flags").await?.data.unwrap_or_default();
        Ok((data.get("animations").map(String::as_str) == Some(wanted)).then_some(()))
    })
    .await
}
