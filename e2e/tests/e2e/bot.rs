//! The real bot, who watches its flags at the API server.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use brownout::policy::State;
use e2e::harness::{Ctx, trial};
use e2e::http;
use e2e::load::Load;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use tokio_util::sync::CancellationToken;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("bot_obeys_at_once_and_again_on_recovery", obeys_at_once),
        trial("bot_keeps_its_flags_when_they_vanish", keeps_its_flags),
        trial("bot_finishes_what_it_has_begun", finishes_what_it_has_begun),
    ]
}

/// One gauge drives the ladder, so a test says itself how bad things are.
pub(crate) const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals: [{name: pressure, query: 'max(pressure{job=\"JOB\"})'}]
  features:
  - {name: animations, tier: Luxury}
  - {name: ai-chat, tier: Important, values: {enabled: 512, reduced: 96, disabled: 0}}
  - {name: commands, tier: Critical}
  levels:
  - name: shed-luxury
    when: {any: [{signal: pressure, above: '1'}]}
    tiers: {luxury: Disabled}
  - name: lighten
    when: {any: [{signal: pressure, above: '2'}]}
    tiers: {important: Reduced}
  recovery: {after: 1s}
";

/// Long enough for a crowded machine; nothing here is timed.
pub(crate) const SOON: Duration = Duration::from_secs(60);

async fn obeys_at_once(ctx: Ctx) -> Result<()> {
    let exporter = ctx.exporter().await?;
    let pressure = exporter.gauge("pressure", &[]);
    let bot = ctx.bot("bot-flags", &[]).await?;
    ensure!(
        bot.status().await?.epoch.is_none(),
        "a bot starts without flags"
    );
    let _operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    let normal = bot.await_level(0, SOON).await?;

    pressure.set(5.0);
    let degraded = bot.await_level(2, SOON).await?;
    assert_eq!(degraded.level_name, "lighten");
    assert_eq!(degraded.state("animations"), State::Disabled);
    assert_eq!(degraded.state("ai-chat"), State::Reduced);
    assert_eq!(degraded.state("commands"), State::Enabled);
    assert!(degraded.epoch > normal.epoch);
    await_metric(&ctx, "bot_flags_level", 2.0).await?;

    pressure.set(0.0);
    let recovered = bot.await_level(0, SOON).await?;
    assert!(recovered.features.iter().all(|f| f.state == State::Enabled));
    assert!(recovered.epoch > degraded.epoch);
    await_metric(&ctx, "bot_flags_level", 0.0).await
}

/// What only Prometheus can tell: that the series is there, and named as documented.
async fn await_metric(ctx: &Ctx, name: &str, wanted: f64) -> Result<()> {
    let query = format!("{name}{{job=\"{}\"}}", ctx.job());
    let same = |value: f64| (value - wanted).abs() < f64::EPSILON;
    ctx.prometheus().await_value(&query, SOON, same).await?;
    Ok(())
}

async fn keeps_its_flags(ctx: Ctx) -> Result<()> {
    let exporter = ctx.exporter().await?;
    let pressure = exporter.gauge("pressure", &[]);
    let operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    pressure.set(5.0);
    let bot = ctx.bot("bot-flags", &[]).await?;
    bot.await_level(2, SOON).await?;

    operator.kill()?;
    let flags = ctx.api::<k8s_openapi::api::core::v1::ConfigMap>();
    flags
        .delete("bot-flags", &kube::api::DeleteParams::default())
        .await?;
    await_line(
        &bot,
        "bot_flags_source_state{source=\"watch\",state=\"missing\"} 1",
    )
    .await?;
    assert_eq!(bot.status().await?.level, 2, "the last good flags stay");

    operator.start_again().await?;
    pressure.set(0.0);
    bot.await_level(0, SOON).await.map(|_| ())
}

async fn finishes_what_it_has_begun(ctx: Ctx) -> Result<()> {
    let bot = ctx
        .bot(
            "none",
            &[
                "--workers=1",
                "--chat-ms=400",
                "--deadline=2m",
                "--animation-ms=0",
            ],
        )
        .await?;
    let load = Load {
        message: "Tell me a story".to_owned(),
        every: Duration::ZERO,
        count: 2,
    };
    let address = bot.address();
    let asked = tokio::spawn(async move { load.drive(address, &CancellationToken::new()).await });
    await_line(
        &bot,
        "bot_arrivals_total{feature=\"ai-chat\",tier=\"Important\"} 2",
    )
    .await?;

    let status = bot.terminate().await?;
    ensure!(status.success(), "the bot ended with {status}");
    let answers = asked.await??;
    assert!(
        answers.iter().all(|answer| answer.outcome == "ok"),
        "both were answered: {answers:?}"
    );
    let late = http::get_text(&bot.url("/readyz")).await;
    assert!(late.is_err(), "nobody is let in after the end");
    Ok(())
}

/// Waits for a line of the bot's own metrics.
async fn await_line(bot: &e2e::bot::Bot, line: &str) -> Result<()> {
    await_condition(line, SOON, || async {
        let metrics = bot.metrics().await?;
        if metrics.lines().any(|each| each == line) {
            return Ok(Some(()));
        }
        let name = line.split('{').next().context("a line has a name")?;
        let there: Vec<&str> = metrics
            .lines()
            .filter(|each| each.starts_with(name))
            .collect();
        bail!("{}", there.join("; "))
    })
    .await
}
