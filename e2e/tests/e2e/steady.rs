//! With nothing to do the operator writes nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::exporter::Exporter;
use e2e::harness::{Ctx, needs_own_cluster, trial_within};
use e2e::wait::await_condition;
use kube::api::ListParams;
use libtest_mimic::Trial;
use tokio::task::AbortHandle;

use crate::faults_support::{SOON, await_level, await_reason, await_tick, now};

pub(crate) fn tests() -> Vec<Trial> {
    vec![needs_own_cluster(trial_within(
        Duration::from_secs(240),
        "steady_state_writes_nothing",
        writes_nothing,
    ))]
}

/// How long nothing may be written.
const QUIET: Duration = Duration::from_secs(60);

/// How many policies there are of each kind.
const EACH: usize = 2;

/// What there is of a kind in steady state: its name, what differs in its spec, its level.
const KINDS: [(&str, &str, i32); 10] = [
    ("calm", "when: {any: [{signal: backlog, above: '1000'}]}", 0),
    (
        "degraded",
        "when: {any: [{signal: backlog, above: '200'}]}",
        1,
    ),
    (
        "at-max",
        "when: {any: [{signal: backlog, above: '200'}]}",
        1,
    ),
    (
        "dry-run",
        "when: {any: [{signal: backlog, above: '200'}]}",
        0,
    ),
    (
        "amid-a-for",
        "when: {any: [{signal: backlog, above: '200', for: 1h}]}",
        0,
    ),
    ("slow", "when: {any: [{signal: latency, above: '0.5'}]}", 1),
    (
        "failing",
        "when: {any: [{signal: errors, above: '0.05'}]}",
        1,
    ),
    ("idle", "when: {any: [{signal: idle, above: '0.5'}]}", 0),
    (
        "blind",
        "when: {any: [{signal: gone, above: '1'}, {signal: backlog, above: '200'}]}",
        1,
    ),
    (
        "no-target",
        "when: {any: [{signal: backlog, above: '200'}]}\n    scale: [{name: NAME-worker, replicas: 0}]",
        1,
    ),
];

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: NAME}
spec:
  mode: MODE
  interval: 1s
  MAX
  defaults: {matchers: 'job=\"JOB\"', window: 10s}
  signals:
  - {name: backlog, query: 'max(bot_queue_depth{job=\"JOB\"})'}
  - {name: gone, query: 'max(bot_no_such_metric{job=\"JOB\"})'}
  - {name: latency, latency: {histogram: bot_seconds}}
  - {name: errors, errorRatio: {counter: bot_requests_total, errors: 'outcome=\"error\"'}}
  - {name: idle, latency: {histogram: bot_idle_seconds}}
  features: [{name: animations, tier: Luxury}, {name: chat, tier: Important}]
  levels:
  - name: shed-luxury
    WHEN
    tiers: {luxury: Disabled}
  - name: critical-only
    when: {any: [{signal: backlog, above: 'TOP'}]}
    tiers: {important: Disabled}
  recovery: {after: 2s}
  missing: {after: 3s}
";

async fn writes_nothing(ctx: Ctx) -> Result<()> {
    let audit = ctx.cluster().audit()?;
    let bot = ctx.exporter().await?;
    bot.gauge("bot_queue_depth", &[]).set(500.0);
    bot.histogram("bot_idle_seconds", &[], &[0.5, 1.0]);
    let traffic = traffic(bot);
    let operator = ctx.operator().await?;
    for (name, when, _) in KINDS {
        for number in 0..EACH {
            let mode = if name == "dry-run" {
                "DryRun"
            } else {
                "Enforce"
            };
            let (max, top) = if name == "at-max" {
                ("maxLevel: shed-luxury", "300")
            } else {
                ("", "9000")
            };
            let yaml = POLICY
                .replace("MODE", mode)
                .replace("MAX", max)
                .replace("JOB", ctx.job())
                .replace("WHEN", when)
                .replace("NAME", &format!("{name}-{number}"))
                .replace("TOP", top);
            ctx.apply(&yaml).await?;
        }
    }
    for (name, _, level) in KINDS {
        for number in 0..EACH {
            let name = format!("{name}-{number}");
            await_level(&ctx, &name, level)
                .await
                .with_context(|| name)?;
        }
    }
    for number in 0..EACH {
        let blind = format!("blind-{number}");
        await_reason(&ctx, &blind, "MetricsAvailable", ("False", "Empty")).await?;
        let refused = format!("no-target-{number}");
        await_reason(&ctx, &refused, "Ready", ("False", "TargetNotFound")).await?;
    }
    settled(&ctx).await?;

    let mark = audit.mark()?;
    let (begin, before) = (now(), versions(&ctx).await?);
    tokio::time::sleep(QUIET).await; // the one thing here that takes its time by its nature
    for (name, ..) in KINDS {
        await_tick(&operator, &format!("{name}-0"), begin + 59_000).await?;
    }
    let writes = audit.writes_by(&ctx.operator_user(), mark)?;
    let told: Vec<String> = writes.iter().map(ToString::to_string).collect();
    ensure!(told.is_empty(), "{} writes: {told:#?}", told.len());
    ensure!(versions(&ctx).await? == before, "somebody wrote a policy");
    traffic.abort();
    Ok(())
}

/// The same requests each moment, one in ten of them an error and all of them slow.
fn traffic(bot: Exporter) -> AbortHandle {
    let all = bot.counter("bot_requests_total", &[("outcome", "ok")]);
    let errors = bot.counter("bot_requests_total", &[("outcome", "error")]);
    let seconds = bot.histogram("bot_seconds", &[], &[0.1, 0.5, 1.0, 5.0]);
    let pump = tokio::spawn(async move {
        let _bot = bot; // it is scraped for as long as there is traffic
        let mut moments = tokio::time::interval(Duration::from_millis(100));
        loop {
            moments.tick().await;
            all.add(9.0);
            errors.add(1.0);
            seconds.observe(0.8, 10);
        }
    });
    pump.abort_handle()
}

/// Waits until two looks at all policies, some ticks apart, show the same.
async fn settled(ctx: &Ctx) -> Result<()> {
    let start = now();
    let last = tokio::sync::Mutex::new((start, versions(ctx).await?));
    await_condition("all policies to settle", SOON, || async {
        let (now, seen) = (now(), versions(ctx).await?);
        let mut last = last.lock().await;
        if last.1 != seen {
            *last = (now, seen);
        }
        Ok((now - last.0 > 5000).then_some(()))
    })
    .await
}

async fn versions(ctx: &Ctx) -> Result<Vec<Option<String>>> {
    let all = ctx.api::<BotDegradationPolicy>();
    let list = all.list(&ListParams::default()).await?;
    let versions = list
        .items
        .into_iter()
        .map(|policy| policy.metadata.resource_version);
    Ok(versions.collect())
}
