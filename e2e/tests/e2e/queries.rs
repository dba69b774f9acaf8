//! What a user is told about the queries, and how often they are asked.

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial};
use e2e::prometheus::Prometheus;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::faults_support::{
    INTERVAL, SOON, await_live, await_reason, await_tick, await_ticks, condition, now, seen,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("queries_that_the_server_does_not_know_are_named", rejected),
        trial("queries_that_mislead_are_told", misleading),
        trial("queries_that_are_equal_are_asked_once", equal),
    ]
}

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: NAME}
spec:
  interval: 1s
  signals:
  - SIGNAL
  levels:
  - {name: shed-luxury, when: {any: [{signal: it, above: '5'}]}, tiers: {luxury: Disabled}}
";

fn policy(ctx: &Ctx, name: &str, signal: &str) -> String {
    let policy = POLICY.replace("SIGNAL", signal).replace("NAME", name);
    policy.replace("JOB", ctx.job())
}

/// What our parser knows and the server does not.
async fn rejected(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.gauge("bot_queue_depth", &[]).set(1.0);
    let operator = ctx.operator().await?;
    let unknown = "{name: it, query: 'max(limitk(2, bot_queue_depth{job=\"JOB\"}))'}";
    ctx.apply(&policy(&ctx, "bot", unknown)).await?;
    let status = await_reason(&ctx, "bot", "Ready", ("False", "QueryRejected")).await?;
    let message = &condition(&status, "Ready").context("Ready")?.message;
    ensure!(message.contains("signal it"), "{message}");
    await_live(&operator, "bot", "what the server said", |live| {
        live["signals"][0]["unknown"] == "Http"
            && live["signals"][0]["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("parse error"))
    })
    .await?;
    ensure!(status.level == 0, "nothing is applied");

    let known = "{name: it, query: 'max(bot_queue_depth{job=\"JOB\"})'}";
    ctx.apply(&policy(&ctx, "bot", known)).await?;
    await_reason(&ctx, "bot", "Ready", ("True", "Reconciled")).await?;
    Ok(())
}

/// A threshold beyond the highest bucket, and errors that nothing is.
async fn misleading(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let seconds = bot.histogram("bot_seconds", &[], &[0.5, 2.5]);
    let requests = bot.counter("bot_requests_total", &[("outcome", "ok")]);
    seconds.observe(0.1, 10);
    requests.add(10.0);
    let count = |metric: &str| {
        format!(
            "min(count_over_time({metric}{{job=\"{}\"}}[10s]))",
            ctx.job()
        )
    };
    for metric in ["bot_seconds_bucket", "bot_requests_total"] {
        ctx.prometheus()
            .await_value(&count(metric), SOON, |count| count > 1.0)
            .await?;
    }
    let operator = ctx.operator().await?;
    let slow =
        "{name: it, latency: {histogram: bot_seconds, window: 10s, matchers: 'job=\"JOB\"'}}";
    let failing = "{name: it, errorRatio: {counter: bot_requests_total, errors: 'outcome=\"eror\"', window: 10s, matchers: 'job=\"JOB\"'}}";
    ctx.apply(&policy(&ctx, "slow", slow)).await?;
    ctx.apply(&policy(&ctx, "failing", failing)).await?;

    for (name, kind, says) in [
        ("slow", "Unreachable", "2.5, its highest bucket"),
        ("failing", "ErrorsSelectNothing", "errors selects no series"),
    ] {
        await_live(&operator, name, kind, |live| {
            let advice = &live["advice"][0];
            advice["kind"] == kind
                && advice["signal"] == "it"
                && advice["message"]
                    .as_str()
                    .is_some_and(|text| text.contains(says))
        })
        .await?;
        await_condition(&format!("the Event {kind}"), SOON, || async {
            Ok(seen(&ctx, name).await?.has_event(kind).then_some(()))
        })
        .await?;
        await_reason(&ctx, name, "Ready", ("True", "Reconciled")).await?;
    }
    Ok(())
}

/// Ten policies with one query cost the server as much as one.
async fn equal(ctx: Ctx) -> Result<()> {
    let prometheus = ctx.own_prometheus().await?;
    let bot = ctx.exporter_at(&prometheus).await?;
    bot.gauge("bot_queue_depth", &[]).set(1.0);
    let operator = ctx.operator_asking(&prometheus.url()).await?;
    let signal = "{name: it, query: 'max(bot_queue_depth{job=\"JOB\"})'}";
    for number in 0..10 {
        ctx.apply(&policy(&ctx, &format!("bot-{number}"), signal))
            .await?;
    }
    for number in 0..10 {
        await_ticks(&operator, &format!("bot-{number}"), 1).await?;
    }
    let begin = now();
    let before = asked(&prometheus).await?;
    await_tick(&operator, "bot-0", begin + 8000).await?;
    let queries = asked(&prometheus).await? - before;
    // as many as there can be whole seconds, and one that was on its way; a busy machine leaves some out
    let ticks = (now() - begin) / INTERVAL + 1;
    ensure!(
        (1..=ticks + 1).contains(&queries),
        "{queries} queries in {ticks} ticks of ten policies"
    );
    Ok(())
}

/// How many instant queries a server has answered.
async fn asked(prometheus: &Prometheus) -> Result<i64> {
    let metrics = e2e::http::get_text(&format!("{}/metrics", prometheus.url())).await?;
    let name = "prometheus_http_requests_total{code=\"200\",handler=\"/api/v1/query\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.context("no such metric")?.trim().parse()?)
}
