//! A person pins a level.

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::faults_support::{
    INTERVAL, at, await_level, await_live, await_reason, await_status, await_ticks, condition,
    flag, patch, seen,
};
use crate::support::await_event;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("pins_apply_and_end", apply_and_end),
        trial("pins_apply_while_paused", while_paused),
        trial("pins_that_are_bad_change_nothing_else", bad),
    ]
}

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job=\"JOB\"})'}]
  features:
  - {name: animations, tier: Luxury}
  - {name: ai-chat, tier: Important}
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200'}]}
    tiers: {luxury: Disabled}
  - name: critical-only
    when: {any: [{signal: backlog, above: '1000'}]}
    tiers: {important: Disabled}
  recovery: {after: 2s}
";

fn pin(level: &str, until: Timestamp) -> Value {
    json!({"metadata": {"annotations": {
        "brownout.dev/pin": level,
        "brownout.dev/pin-until": until.to_string(),
        "brownout.dev/pin-reason": "a launch",
    }}})
}

fn in_secs(secs: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(secs)
}

async fn apply_and_end(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    let operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    await_ticks(&operator, "bot", 2).await?;

    let until = in_secs(15);
    patch(&ctx, "bot", pin("critical-only", until)).await?;
    let pinned = await_level(&ctx, "bot", 2).await?;
    let pin_status = pinned.pin.as_ref().context("status.pin")?;
    ensure!(
        pin_status.level == "critical-only" && pin_status.reason.as_deref() == Some("a launch")
    );
    await_reason(&ctx, "bot", "Pinned", ("True", "PinHolds")).await?;
    ensure!(flag(&ctx, "bot", "ai-chat").await? == "false");
    // deciding goes on and is reported
    depth.set(500.0);
    let decided = await_status(&ctx, "bot", "desiredLevel 1", |s| s.desired_level == 1).await?;
    ensure!(decided.level == 2, "the pin is what is applied");
    depth.set(0.0);

    // recovery goes on from the pinned level, a rung at a time
    let status = await_level(&ctx, "bot", 0).await?;
    let ends: Vec<(&str, i32, i32)> = status
        .history
        .iter()
        .skip_while(|entry| entry.reason != "Unpinned")
        .map(|entry| (entry.reason.as_str(), entry.from, entry.to))
        .collect();
    ensure!(
        ends == [("Unpinned", 2, 2), ("Recovered", 2, 1), ("Recovered", 1, 0)],
        "{:#?}",
        status.history
    );
    let unpinned = status.history.iter().find(|e| e.reason == "Unpinned");
    let late = at(unpinned.context("an entry")?) - until.as_millisecond();
    ensure!(
        (0..=INTERVAL).contains(&late),
        "the pin ended {late} ms late"
    );
    ensure!(status.pin.is_none() && flag(&ctx, "bot", "ai-chat").await? == "true");
    Ok(())
}

async fn while_paused(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.gauge("bot_queue_depth", &[]).set(1.0);
    let operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    await_ticks(&operator, "bot", 1).await?;
    patch(&ctx, "bot", json!({"spec": {"mode": "Paused"}})).await?;
    await_live(&operator, "bot", "a rest", |live| {
        live["phase"] == "Resting"
    })
    .await?;

    patch(&ctx, "bot", pin("shed-luxury", in_secs(12))).await?;
    await_level(&ctx, "bot", 1).await?;
    await_reason(&ctx, "bot", "Pinned", ("True", "PinHolds")).await?;
    ensure!(flag(&ctx, "bot", "animations").await? == "false");
    // it ends, and nothing is decided: the level stays as it was pinned
    let status = await_reason(&ctx, "bot", "Pinned", ("False", "PinOver")).await?;
    ensure!(
        status.level == 1 && status.desired_level == 1,
        "{status:#?}"
    );
    let note = await_event(&ctx, "bot", "PinOver").await?;
    ensure!(
        note.starts_with("the pin to shed-luxury") && note.ends_with("stays at shed-luxury"),
        "{note}"
    );
    // the next process is no news of it
    operator.restart().await?;
    await_live(&operator, "bot", "a rest", |live| {
        live["phase"] == "Resting"
    })
    .await?;
    patch(&ctx, "bot", json!({"spec": {"mode": "Enforce"}})).await?;
    await_level(&ctx, "bot", 0).await?;
    let seen = seen(&ctx, "bot").await?;
    let told = (seen.times_told("PinOver"), seen.times_told("Unpinned"));
    ensure!(told == (1, 0), "{seen:#?}");
    Ok(())
}

async fn bad(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    bot.gauge("bot_queue_depth", &[]).set(500.0);
    let operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    await_level(&ctx, "bot", 1).await?;
    await_event(&ctx, "bot", "Escalated").await?; // comes after the status
    await_ticks(&operator, "bot", 1).await?;
    let before = seen(&ctx, "bot").await?;

    let until = in_secs(3600).to_string();
    for (level, until, says) in [
        ("Normal", None, "pin-until is missing"),
        (
            "no-such-level",
            Some(until.as_str()),
            "write one of Normal, shed-luxury, critical-only",
        ),
        ("Normal", Some("tomorrow"), "no RFC 3339 time"),
        ("Normal", Some("2026-01-31"), "no RFC 3339 time"),
        ("", Some(until.as_str()), "there is no level"),
    ] {
        let annotations = json!({"brownout.dev/pin": level, "brownout.dev/pin-until": until});
        patch(
            &ctx,
            "bot",
            json!({"metadata": {"annotations": annotations}}),
        )
        .await?;
        let status = await_status(&ctx, "bot", says, |status| {
            condition(status, "Pinned").is_some_and(|c| {
                c.status == "False" && c.reason == "PinInvalid" && c.message.contains(says)
            })
        })
        .await?;
        ensure!(status.level == 1 && status.pin.is_none());
        let ready = condition(&status, "Ready").context("Ready")?;
        ensure!(ready.status == "True", "a bad pin is no bad policy");
    }
    let gone = json!({"brownout.dev/pin": null, "brownout.dev/pin-until": null});
    patch(&ctx, "bot", json!({"metadata": {"annotations": gone}})).await?;
    await_reason(&ctx, "bot", "Pinned", ("False", "NoPin")).await?;
    await_ticks(&operator, "bot", 1).await?;
    let after = seen(&ctx, "bot").await?;
    ensure!(
        after.same_but_for_version(&before),
        "before: {before:#?}\nafter: {after:#?}"
    );
    Ok(())
}
