//! Servers other than Prometheus, and several of them at once.

use anyhow::{Context as _, Result, ensure};
use brownout::api::conditions::QUERY_REJECTED;
use e2e::answer_proxy::{AnswerProxy, all};
use e2e::exporter::Exporter;
use e2e::guard::{Admits, Guard};
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::victoria_metrics::VictoriaMetrics;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::faults_support::{await_live, await_ticks, live};
use crate::sources_support::{apply_policy, apply_source, delete_sources, operator};
use crate::support::{GAUGE, PolicyYaml, SOON, await_level, await_ready, await_reason};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial(
            "sources_that_hang_or_fail_delay_no_other",
            no_other_is_delayed,
        ),
        trial("sources_served_by_victoria_metrics", victoria_metrics),
        trial(
            "sources_with_a_path_headers_and_parameters",
            with_a_path_and_headers,
        ),
    ]
}

/// One that is silent, one that answers no connection, one that is down, and one that is well.
async fn no_other_is_delayed(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    depth.set(300.0);
    let url = ctx.prometheus().url();
    let proxy = AnswerProxy::start(&url, all()?).await?;
    let silent = all()?
        .into_iter()
        .find(|wrong| matches!(wrong.deed, e2e::answer_proxy::Deed::Silence))
        .context("a silent one")?
        .name;
    let operator = operator(&ctx).await?;
    for (source, url) in [
        ("silent", proxy.url(&silent)),
        ("refused", "http://127.0.0.1:1".to_owned()),
        ("well", url),
    ] {
        apply_source(&ctx, source, (&url, ", timeout: 30s", "")).await?;
        apply_policy(&ctx, source, source, "").await?;
    }
    for source in ["silent", "well"] {
        await_level(&ctx, source, 1).await?;
    }
    proxy.set_wrong(true);
    await_live(&operator, "silent", "silence", |live| {
        live["signals"][0]["unknown"] == "Timeout"
    })
    .await?;
    await_live(&operator, "refused", "no connection", |live| {
        live["signals"][0]["unknown"] == "Transport"
    })
    .await?;
    // the well one misses no tick meanwhile, and the silent one's ticks come as well, each too late
    // (a machine that stands still may cost any source a tick: five in a row have to come)
    await_condition("five ticks, none of them left out", SOON, || async {
        let before = left_out(&ctx, &operator).await?;
        await_ticks(&operator, "well", 5).await?;
        let after = left_out(&ctx, &operator).await?;
        ensure!(before == after, "{before:?} became {after:?}");
        Ok(Some(()))
    })
    .await?;
    depth.set(0.0);
    await_level(&ctx, "well", 0).await?;
    ensure!(
        live(&operator, "silent").await?["level"] == 1,
        "it cannot know"
    );
    proxy.set_wrong(false);
    await_level(&ctx, "silent", 0).await?;
    delete_sources(&ctx).await
}

/// How many ticks of the source that is well were left out.
async fn left_out(ctx: &Ctx, operator: &Operator) -> Result<Option<String>> {
    let name = format!(
        "brownout_ticks_skipped_total{{source=\"{}-well\"}} ",
        ctx.namespace()
    );
    let metrics = operator.metrics().await?;
    let found = metrics.lines().find_map(|line| line.strip_prefix(&name));
    Ok(found.map(str::to_owned))
}

/// A real one: it scrapes the bot itself.
async fn victoria_metrics(ctx: Ctx) -> Result<()> {
    let bot = Exporter::start().await?;
    let depth = bot.gauge(GAUGE, &[]);
    depth.set(300.0);
    let name = format!("{}-vm", ctx.namespace());
    let run = &ctx.environment().run;
    let server = VictoriaMetrics::start(run, &name, &bot.address(), ctx.job()).await?;
    let operator = operator(&ctx).await?;
    // without the parameter it answers with what was true 30 seconds ago
    let more = ", queryParams: {latency_offset: 1s}, evaluationDelay: 2s";
    apply_source(&ctx, "vm", (&server.url(), more, "")).await?;
    apply_policy(&ctx, "bot", "vm", "").await?;
    await_level(&ctx, "bot", 1).await?;
    await_ready(&ctx, "bot").await?;

    // a restart reads the last seconds again
    operator.kill()?;
    operator.start_again().await?;
    await_ticks(&operator, "bot", 2).await?;
    let status = await_level(&ctx, "bot", 1).await?;
    ensure!(status.history.len() == 1, "{:?}", status.history);
    depth.set(0.0);
    await_level(&ctx, "bot", 0).await?;

    // typed signals: it has none of the functions for native histograms
    let requests = bot.histogram("bot_seconds", &[], &[0.5, 2.5]);
    requests.observe(0.1, 1);
    let typed = PolicyYaml::new(&ctx, "typed")
        .rung("shed-luxury", "5", "tiers: {luxury: Disabled}")
        .spec(&format!("source: {}-vm", ctx.namespace()))
        .to_string();
    let signal = format!(
        "signals: [{{name: backlog, latency: {{histogram: bot_seconds, window: 10s, matchers: 'job=\"{}\"'}}}}]\n  features",
        ctx.job()
    );
    let begin = typed.find("signals:").context("signals")?;
    let end = typed.find("features").context("features")?;
    let typed = format!(
        "{}{signal}{}",
        &typed[..begin],
        &typed[end + "features".len()..]
    );
    ctx.apply(&typed).await?;
    await_condition("a latency", SOON, async || {
        requests.observe(2.0, 10);
        let live = live(&operator, "typed").await?;
        ensure!(
            live["signals"][0]["value"].as_f64() > Some(0.5),
            "{}",
            live["signals"][0]
        );
        Ok(Some(()))
    })
    .await?;
    await_ready(&ctx, "typed").await?;

    // what our parser knows and it does not
    let unknown = PolicyYaml::new(&ctx, "unknown")
        .rung("shed-luxury", "200", "tiers: {luxury: Disabled}")
        .spec(&format!("source: {}-vm", ctx.namespace()))
        .to_string()
        .replace("max(bot_queue_depth", "histogram_sum(bot_queue_depth");
    ctx.apply(&unknown).await?;
    await_reason(&ctx, "unknown", QUERY_REJECTED).await?;
    delete_sources(&ctx).await
}

/// As Mimir wants its tenant, Thanos its parameters, and `VictoriaMetrics`' cluster its path.
async fn with_a_path_and_headers(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.gauge(GAUGE, &[]).set(300.0);
    let tenant = [("x-scope-orgid".to_owned(), "team-chat".to_owned())];
    let guard = Guard::start(&ctx.prometheus().url(), Admits::Headers(tenant.into())).await?;
    let _operator = operator(&ctx).await?;
    for (name, path) in [
        ("mimir", "/prometheus"),
        ("cluster", "/select/0/prometheus/"),
    ] {
        let url = format!("{}{path}", guard.url());
        let more = ", headers: {X-Scope-OrgID: team-chat}, queryParams: {dedup: 'true', partial_response: 'false'}";
        apply_source(&ctx, name, (&url, more, "")).await?;
        apply_policy(&ctx, name, name, "").await?;
        await_level(&ctx, name, 1).await?;
        let sent = guard.last().context("a request")?;
        ensure!(
            sent.form.contains("dedup=true") && sent.form.contains("partial_response=false"),
            "{}",
            sent.form
        );
        ensure!(
            sent.path.ends_with("prometheus/api/v1/query"),
            "{}",
            sent.path
        );
    }
    delete_sources(&ctx).await
}
