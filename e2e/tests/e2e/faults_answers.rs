//! Prometheus answers wrongly, in every way that we could think of, while the bot is degraded and the
//! right answer would be that all is well.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use brownout::api::{BotDegradationPolicy, MetricsSource};
use e2e::answer_proxy::{AnswerProxy, all};
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::wait::await_condition;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::faults_support::{
    INTERVAL, await_ticks, condition, evaluated_at, flag, never_fell_before, now,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial(
        "faults_answers_that_are_wrong_give_nothing_back",
        wrong_answers_give_nothing_back,
    )]
}

/// A policy for each way to be wrong, with a source of its own: what is wrong with one connection
/// must not be seen on another.
const DOCUMENTS: &str = "
apiVersion: brownout.dev/v1alpha1
kind: MetricsSource
metadata: {name: SOURCE, labels: {test: NAMESPACE}}
spec: {prometheus: {url: 'URL'}, allowedNamespaces: {names: [NAMESPACE]}}
---
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: POLICY}
spec:
  interval: 2s # and so long may an answer take, on a busy machine too
  source: SOURCE
  signals: [{name: backlog, query: 'max(bot_queue_depth{job=\"NAMESPACE\"})'}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200'}]}
    tiers: {luxury: Disabled}
  recovery: {after: 4s}
  missing: {after: 5s}
";

/// Long enough for all policies on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

async fn wrong_answers_give_nothing_back(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    depth.set(500.0);
    let names: Vec<(String, &str)> = all()?.into_iter().map(|w| (w.name, w.class)).collect();
    let proxy = AnswerProxy::start(&ctx.prometheus().url(), all()?).await?;
    let operator = ctx.operator().await?;
    for (name, _) in &names {
        let documents = DOCUMENTS
            .replace("SOURCE", &format!("{}-{name}", ctx.namespace()))
            .replace("NAMESPACE", ctx.namespace())
            .replace("URL", &proxy.url(name))
            .replace("POLICY", name);
        ctx.apply(&documents).await?;
    }
    let result = degraded_through_all(&ctx, &operator, &proxy, &names, || depth.set(0.0)).await;
    let sources: Api<MetricsSource> = Api::all(ctx.client());
    let ours = ListParams::default().labels(&format!("test={}", ctx.namespace()));
    sources
        .delete_collection(&DeleteParams::default(), &ours)
        .await?;
    result
}

async fn degraded_through_all(
    ctx: &Ctx,
    operator: &Operator,
    proxy: &AnswerProxy,
    names: &[(String, &str)],
    calm: impl Fn(),
) -> Result<()> {
    await_all(ctx, "level 1", |policy, _| level(policy) == Some(1)).await?;

    proxy.set_wrong(true);
    // as long as one policy had the right answer last, the right answer must not be that all is well
    await_live(operator, names, "its class", |live, class| {
        live["signals"][0]["unknown"] == *class
    })
    .await?;
    calm();
    await_all(ctx, "MetricsAvailable=False", |policy, status| {
        condition(status, "MetricsAvailable").is_some_and(|c| c.status == "False")
            && level(policy) == Some(1)
    })
    .await?;
    // more than recovery.after while the class is served and the truth would be that all is well
    await_ticks(operator, &names[0].0, 4).await?;
    let served_until = now();
    await_live(operator, names, "its class still", |live, class| {
        live["signals"][0]["unknown"] == *class
            && live["blind"] == true
            && live["level"] == 1
            && evaluated_at(live).is_some_and(|at| at >= served_until - INTERVAL)
    })
    .await?;
    for policy in policies(ctx).await? {
        let (name, class) = names
            .iter()
            .find(|(name, _)| policy.metadata.name.as_deref() == Some(name))
            .context("a policy of ours")?;
        let status = policy.status.as_ref().context("no status")?;
        never_fell_before(status, i64::MAX).with_context(|| name.clone())?;
        let reason = condition(status, "MetricsAvailable").map(|c| c.reason.as_str());
        ensure!(
            reason == Some(*class),
            "{name}: MetricsAvailable says {reason:?}, not {class}"
        );
        ensure!(
            flag(ctx, name, "animations").await? == "false",
            "{name}: animations are back"
        );
    }

    proxy.set_wrong(false);
    await_all(ctx, "level 0", |policy, status| {
        level(policy) == Some(0)
            && condition(status, "MetricsAvailable").is_some_and(|c| c.status == "True")
    })
    .await
}

fn level(policy: &BotDegradationPolicy) -> Option<i32> {
    Some(policy.status.as_ref()?.level)
}

async fn policies(ctx: &Ctx) -> Result<Vec<BotDegradationPolicy>> {
    let all = ctx.api::<BotDegradationPolicy>();
    Ok(all.list(&ListParams::default()).await?.items)
}

/// Waits until every policy is as wanted; says which are not.
async fn await_all(
    ctx: &Ctx,
    what: &str,
    wanted: impl Fn(&BotDegradationPolicy, &brownout::api::BotDegradationPolicyStatus) -> bool,
) -> Result<()> {
    let wanted = &wanted;
    await_condition(&format!("all: {what}"), DEADLINE, || async {
        let all = policies(ctx).await?;
        let not = all
            .iter()
            .filter(|policy| !policy.status.as_ref().is_some_and(|s| wanted(policy, s)));
        let not: Vec<_> = not
            .filter_map(|policy| policy.metadata.name.as_deref())
            .collect();
        ensure!(not.is_empty(), "not {}", not.join(", "));
        Ok(Some(()))
    })
    .await
}

/// Waits until what is said live of every policy is as wanted for its class; says of which not.
async fn await_live(
    operator: &Operator,
    names: &[(String, &str)],
    what: &str,
    wanted: impl Fn(&Value, &str) -> bool,
) -> Result<()> {
    let wanted = &wanted;
    await_condition(&format!("all: {what}"), DEADLINE, || async {
        let live = operator.policies().await?;
        let live = live["policies"].as_array().context("no policies")?;
        let of = |name: &str| live.iter().find(|policy| policy["name"] == name);
        let not = names
            .iter()
            .filter(|(name, class)| !of(name).is_some_and(|live| wanted(live, class)));
        let not = not.map(|(name, class)| {
            let said = of(name).map_or(&Value::Null, |live| &live["signals"][0]);
            format!("{name} ({class}): {said}")
        });
        let not: Vec<_> = not.collect();
        ensure!(not.is_empty(), "not {}", not.join(", "));
        Ok(Some(()))
    })
    .await
}
