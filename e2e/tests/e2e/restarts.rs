//! The operator is killed: what a user sees stays as it was, and no time is lost.

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::faults_support::{
    INTERVAL, SOON, at, await_level, await_live, await_reason, await_status, await_ticks,
    evaluated_at, seen,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("restarts_while_degraded_change_nothing", while_degraded),
        trial("restarts_while_blind_change_nothing", while_blind),
        trial("restarts_while_not_ready_change_nothing", while_not_ready),
        trial("restarts_do_not_lose_a_for", amid_a_for),
    ]
}

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals:
  - {name: backlog, query: 'max(bot_queue_depth{job=\"JOB\"})'}
  - name: latency
    latency: {histogram: bot_seconds, window: 5s, matchers: 'job=\"JOB\"'}
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200', for: FOR}, {signal: latency, above: '5'}]}
    tiers: {luxury: Disabled}
  recovery: {after: 2s}
  missing: {after: 3s, then: shed-luxury}
";

fn yaml(ctx: &Ctx, hold: &str) -> String {
    POLICY.replace("JOB", ctx.job()).replace("FOR", hold)
}

/// Kills the operator, starts it again, and waits until it has decided some ticks more.
async fn kill_and_come_back(operator: &Operator) -> Result<()> {
    operator.kill()?;
    operator.start_again().await?;
    await_ticks(operator, "bot", 4).await?;
    Ok(())
}

/// A standing like that of a bot with a threshold that its histogram cannot reach: advice is told once.
async fn while_degraded(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.gauge("bot_queue_depth", &[]).set(500.0);
    bot.histogram("bot_seconds", &[], &[0.5, 2.5]);
    let buckets = format!(
        "min(count_over_time(bot_seconds_bucket{{job=\"{}\"}}[5s]))",
        ctx.job()
    );
    ctx.prometheus()
        .await_value(&buckets, SOON, |count| count > 1.0)
        .await?;
    let operator = ctx.operator().await?;
    ctx.apply(&yaml(&ctx, "0s")).await?;
    await_level(&ctx, "bot", 1).await?;
    await_live(&operator, "bot", "advice", |live| {
        live["advice"][0]["kind"] == "Unreachable"
    })
    .await?;
    await_event(&ctx, "Escalated").await?;
    await_event(&ctx, "Unreachable").await?;

    let before = seen(&ctx, "bot").await?;
    kill_and_come_back(&operator).await?;
    await_live(&operator, "bot", "advice again", |live| {
        live["advice"][0]["kind"] == "Unreachable"
    })
    .await?;
    await_ticks(&operator, "bot", 2).await?;
    let after = seen(&ctx, "bot").await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");
    Ok(())
}

async fn while_blind(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.histogram("bot_seconds", &[], &[0.5, 10.0]);
    let operator = ctx.operator().await?;
    ctx.apply(&yaml(&ctx, "0s")).await?;
    await_reason(&ctx, "bot", "MetricsAvailable", ("False", "Empty")).await?;
    await_level(&ctx, "bot", 1).await?;
    await_event(&ctx, "MetricsUnavailable").await?;

    let before = seen(&ctx, "bot").await?;
    kill_and_come_back(&operator).await?;
    let after = seen(&ctx, "bot").await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");

    bot.gauge("bot_queue_depth", &[]).set(1.0);
    await_level(&ctx, "bot", 0).await?;
    await_reason(&ctx, "bot", "MetricsAvailable", ("True", "SignalsReturned")).await?;
    await_event(&ctx, "Recovered").await?; // the last one, after the status
    let before = seen(&ctx, "bot").await?;
    kill_and_come_back(&operator).await?;
    let after = seen(&ctx, "bot").await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");
    Ok(())
}

/// A query that the server does not know: that it said so is not forgotten and said anew.
async fn while_not_ready(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.gauge("bot_queue_depth", &[]).set(500.0);
    let operator = ctx.operator().await?;
    let query = "'max(bot_queue_depth{job=\"JOB\"})'";
    let unknown = POLICY.replace(query, "'max(limitk(2, bot_queue_depth{job=\"JOB\"}))'");
    ctx.apply(&unknown.replace("JOB", ctx.job()).replace("FOR", "0s"))
        .await?;
    await_reason(&ctx, "bot", "Ready", ("False", "QueryRejected")).await?;
    await_reason(&ctx, "bot", "MetricsAvailable", ("False", "Http")).await?;
    await_event(&ctx, "QueryRejected").await?;
    await_level(&ctx, "bot", 1).await?;
    await_event(&ctx, "MetricsUnavailable").await?; // the last one, after the status

    let before = seen(&ctx, "bot").await?;
    kill_and_come_back(&operator).await?;
    let after = seen(&ctx, "bot").await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");
    Ok(())
}

async fn amid_a_for(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    bot.histogram("bot_seconds", &[], &[0.5, 10.0]);
    let operator = ctx.operator().await?;
    ctx.apply(&yaml(&ctx, "12s")).await?;
    await_ticks(&operator, "bot", 2).await?;

    depth.set(500.0);
    let half = await_live(&operator, "bot", "half of its for", |live| {
        breached_for(live).is_some_and(|span| span >= 6000)
    })
    .await?;
    let first =
        evaluated_at(&half).context("evaluatedAt")? - breached_for(&half).context("breachedFor")?;
    operator.kill()?;
    operator.start_again().await?;
    let goes_on = await_live(&operator, "bot", "the for to go on", |live| {
        breached_for(live).is_some()
    })
    .await?;
    ensure!(
        goes_on["level"] == 0,
        "it escalated before its for was over"
    );

    let status = await_level(&ctx, "bot", 1).await?;
    let escalated = status.history.last().map(at).context("no history")?;
    let late = escalated - (first + 12_000);
    ensure!(late.abs() <= INTERVAL, "it escalated {late} ms late");
    ensure!(
        status.history.len() == 1,
        "one transition: {:?}",
        status.history
    );
    await_status(&ctx, "bot", "flags", |status| status.flags.is_some()).await?;
    Ok(())
}

/// How long the first comparison has been breached, in milliseconds.
fn breached_for(live: &serde_json::Value) -> Option<i64> {
    live["comparisons"][0]["breachedFor"].as_i64()
}

async fn await_event(ctx: &Ctx, reason: &str) -> Result<()> {
    let what = format!("the Event {reason}");
    await_condition(&what, SOON, || async {
        Ok(seen(ctx, "bot").await?.has_event(reason).then_some(()))
    })
    .await
}
