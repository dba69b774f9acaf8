//! The main job: a surge is answered in time, and what was shed comes back rung by rung.

use std::time::Duration;

use anyhow::{Context as _, Result};
use brownout::api::BotDegradationPolicyStatus;
use brownout::time::Time;
use e2e::harness::{Ctx, trial};
use libtest_mimic::Trial;

use crate::support::{
    GAUGE, LADDER, PolicyYaml, Scene, await_event, await_flags, await_level, values,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("surge_is_answered_in_time", is_answered_in_time),
        trial("surge_jumps_to_the_top", jumps_to_the_top),
    ]
}

const FOR: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_secs(1);

async fn is_answered_in_time(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    let policy = PolicyYaml::new(ctx, "bot").rung_after(
        "shed-luxury",
        "200",
        "3s",
        "tiers: {luxury: Disabled}",
    );
    ctx.apply(&policy.to_string()).await?;
    let (_, normal) = await_flags(ctx, "bot-flags", 0).await?;
    assert_eq!(values(&normal), ["true", "512", "true"]);

    depth.set(500.0);
    let status = await_level(ctx, "bot", 1).await?;
    let (_, flags) = await_flags(ctx, "bot-flags", 1).await?;
    let entry = status.history.last().context("no history")?;
    let reached = Time::from(entry.at);
    let breached = first_breached_tick(ctx, reached).await?;
    let took = (reached - breached).to_duration();
    assert!(
        took >= FOR && took <= FOR + INTERVAL,
        "level 1 came {took:?} after the first breached reading"
    );

    assert_eq!((entry.from, entry.to), (0, 1));
    assert_eq!(entry.reason, "Escalated");
    assert_eq!(entry.signal.as_deref(), Some("backlog"));
    assert_eq!(entry.value.as_deref(), Some("500"));
    assert_eq!(entry.threshold.as_deref(), Some("200"));
    assert_eq!(status.level_name, "shed-luxury");
    assert_eq!(status.since, Some(entry.at));
    assert_eq!(flags.level_name, "shed-luxury");
    assert_eq!(flags.since, Some(reached));
    assert_eq!(flags.reason, status.reason);
    assert!(flags.epoch > normal.epoch);
    assert_eq!(status.flags.map(|flags| flags.epoch), Some(flags.epoch));
    assert_eq!(values(&flags), ["false", "512", "true"]);
    let note = await_event(ctx, "bot", "Escalated").await?;
    assert!(
        note.contains("shed-luxury") && note.contains("500") && note.contains("200"),
        "{note}"
    );
    Ok(())
}

/// The first tick at which Prometheus gave a value past the threshold.
async fn first_breached_tick(ctx: &Ctx, before: Time) -> Result<Time> {
    let query = format!("max({GAUGE}{{job=\"{}\"}})", ctx.job());
    let last = before.as_secs();
    let past = ctx
        .prometheus()
        .range(&query, last - 60, last, 1)
        .await?
        .into_iter()
        .find(|(_, value)| *value > 200.0);
    let (at, _) = past.context("Prometheus knows of no value past the threshold")?;
    Ok(Time::from_millis(at * 1000))
}

async fn jumps_to_the_top(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "bot").to_string())
        .await?;
    await_level(ctx, "bot", 0).await?;

    depth.set(5000.0);
    let status = await_level(ctx, "bot", 3).await?;
    assert_eq!(steps(&status), [(0, 3, "Escalated")]);
    let (_, flags) = await_flags(ctx, "bot-flags", 3).await?;
    assert_eq!(values(&flags), ["false", "0", "true"]);

    depth.set(0.0);
    let status = await_level(ctx, "bot", 0).await?;
    let down = [
        (0, 3, "Escalated"),
        (3, 2, "Recovered"),
        (2, 1, "Recovered"),
        (1, 0, "Recovered"),
    ];
    assert_eq!(steps(&status), down);
    let times: Vec<Time> = status.history.iter().map(|e| Time::from(e.at)).collect();
    for pair in times[1..].windows(2) {
        let stood = (pair[1] - pair[0]).to_duration();
        assert!(
            stood >= Duration::from_secs(2),
            "a rung was left after {stood:?}"
        );
    }
    assert_eq!(status.level_names, LADDER.map(|(name, ..)| name));
    let (_, flags) = await_flags(ctx, "bot-flags", 0).await?;
    assert_eq!(values(&flags), ["true", "512", "true"]);
    Ok(())
}

fn steps(status: &BotDegradationPolicyStatus) -> Vec<(i32, i32, &str)> {
    let all = status.history.iter();
    all.map(|entry| (entry.from, entry.to, entry.reason.as_str()))
        .collect()
}
