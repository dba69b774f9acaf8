//! Prometheus is gone: the level holds, then the policy is blind, then it sees again.

use anyhow::{Context as _, Result, ensure};
use brownout::time::Time;
use e2e::answer_proxy::{AnswerProxy, all};
use e2e::harness::{Ctx, trial};
use libtest_mimic::Trial;

use crate::faults_support::{
    INTERVAL, at, await_level, await_reason, await_status, await_tick, await_ticks,
    never_fell_before, now,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial(
            "faults_down_level_holds_and_comes_back",
            level_holds_and_comes_back,
        ),
        trial(
            "faults_cut_off_and_killed_is_no_way_back",
            cut_off_and_killed,
        ),
        trial("faults_down_missing_then_is_no_later_for_a_kill", |ctx| {
            missing_then_is_no_later(ctx, Fault::Killed)
        }),
        trial(
            "faults_down_missing_then_is_no_later_for_a_kill_while_frozen",
            |ctx| missing_then_is_no_later(ctx, Fault::Frozen),
        ),
    ]
}

/// How Prometheus fails.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Killed,
    Frozen,
}

const MISSING_AFTER: i64 = 12_000;

/// `recovery.after` in milliseconds.
const RECOVERY_AFTER: i64 = 3000;

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
  recovery: {after: 3s}
  missing: MISSING
";

async fn level_holds_and_comes_back(ctx: Ctx) -> Result<()> {
    let prometheus = ctx.own_prometheus().await?;
    let bot = ctx.exporter_at(&prometheus).await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    depth.set(500.0);
    let operator = ctx.operator_asking(&prometheus.url()).await?;
    let yaml = POLICY.replace("MISSING", "{after: 4s}");
    ctx.apply(&yaml.replace("JOB", ctx.job())).await?;
    await_level(&ctx, "bot", 1).await?;

    prometheus.kill()?;
    depth.set(0.0);
    let blind = await_reason(&ctx, "bot", "MetricsAvailable", ("False", "Transport")).await?;
    ensure!(blind.level == 1, "the level holds");
    let since = blind.blind_since.context("blindSince")?;
    await_ticks(&operator, "bot", 4).await?;
    let still = await_level(&ctx, "bot", 1).await?;
    ensure!(
        still.blind_since == Some(since),
        "blindness has one beginning"
    );

    let back = now();
    prometheus.start_again().await?;
    await_reason(&ctx, "bot", "MetricsAvailable", ("True", "SignalsReturned")).await?;
    let status = await_level(&ctx, "bot", 0).await?;
    never_fell_before(&status, back)
}

/// The operator is killed and started again before `missing.after` is over: that makes
/// `missing.then` no later.
async fn missing_then_is_no_later(ctx: Ctx, fault: Fault) -> Result<()> {
    let prometheus = ctx.own_prometheus().await?;
    let bot = ctx.exporter_at(&prometheus).await?;
    bot.gauge("bot_queue_depth", &[]).set(1.0);
    let operator = ctx.operator_asking(&prometheus.url()).await?;
    let yaml = POLICY.replace("MISSING", "{after: 12s, then: shed-luxury}");
    ctx.apply(&yaml.replace("JOB", ctx.job())).await?;
    await_ticks(&operator, "bot", 2).await?;

    match fault {
        Fault::Killed => prometheus.kill()?,
        Fault::Frozen => prometheus.freeze()?,
    }
    let unknown = await_status(&ctx, "bot", "the first Unknown tick", |status| {
        status.blind_since.is_some()
    })
    .await?;
    let since = Time::from(unknown.blind_since.context("blindSince")?).as_millis();
    await_tick(&operator, "bot", since + 3 * INTERVAL).await?;
    operator.kill()?;
    operator.start_again().await?;

    let status = await_level(&ctx, "bot", 1).await?;
    let entry = status.history.last().context("no history")?;
    ensure!(entry.reason == "Blind" && entry.signal.as_deref() == Some("backlog"));
    let late = at(entry) - (since + MISSING_AFTER);
    ensure!(
        (0..=INTERVAL).contains(&late),
        "missing.then fired {late} ms after missing.after was over"
    );
    let class = if fault == Fault::Killed {
        "Transport"
    } else {
        "Timeout"
    };
    await_reason(&ctx, "bot", "MetricsAvailable", ("False", class)).await?;

    match fault {
        Fault::Killed => prometheus.start_again().await?,
        Fault::Frozen => prometheus.thaw()?,
    }
    await_reason(&ctx, "bot", "MetricsAvailable", ("True", "SignalsReturned")).await?;
    await_level(&ctx, "bot", 0).await?;
    Ok(())
}

/// Prometheus was there all the time, but not for the operator. Had that not been killed, it would
/// have recovered `recovery.after` after it saw again: being killed is no way around that.
async fn cut_off_and_killed(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    depth.set(500.0);
    let cut = all()?.into_iter().filter(|wrong| wrong.name == "closed");
    let proxy = AnswerProxy::start(&ctx.prometheus().url(), cut.collect()).await?;
    let operator = ctx.operator_asking(&proxy.url("closed")).await?;
    let yaml = POLICY.replace("MISSING", "{after: 3s}");
    ctx.apply(&yaml.replace("JOB", ctx.job())).await?;
    await_level(&ctx, "bot", 1).await?;

    proxy.set_wrong(true);
    depth.set(0.0);
    await_reason(&ctx, "bot", "MetricsAvailable", ("False", "Transport")).await?;
    await_ticks(&operator, "bot", 4).await?;
    operator.kill()?;
    proxy.set_wrong(false);
    let back = now();
    operator.start_again().await?;
    let status = await_level(&ctx, "bot", 0).await?;
    let recovered = status.history.last().map(at).context("no history")?;
    let after = recovered - back;
    ensure!(
        after >= RECOVERY_AFTER - INTERVAL,
        "it recovered {after} ms after it saw again"
    );
    Ok(())
}
