//! A spec edited while degraded: the level is kept by its name.

use anyhow::{Context as _, Result};
use brownout::api::BotDegradationPolicyStatus;
use brownout::api::conditions::{FLAPPING, condition};
use e2e::harness::{Ctx, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use libtest_mimic::Trial;

use crate::support::{
    LADDER, PolicyYaml, SOON, Scene, await_flags, await_level, await_policy_gone, await_ready,
    await_replicas, await_status, delete_policy, flags, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("edits_of_the_ladder_keep_the_level_by_name", ladder),
        trial("edits_unseen_keep_the_level_by_name", unseen),
        trial("edits_of_what_a_rung_scales_are_carried_out", scale),
        trial(
            "edits_of_the_config_maps_name_let_the_old_one_go",
            config_map,
        ),
    ]
}

type Rung<'a> = (&'a str, &'a str, &'a str);

const EASY: Rung<'_> = ("easy", "100", "features: {animations: Disabled}");
const RENAMED: Rung<'_> = ("dim", "400", "tiers: {important: Reduced}");

fn policy(ctx: &Ctx, rungs: &[Rung<'_>]) -> String {
    let empty = PolicyYaml::new(ctx, "bot").spec("maxLevel: critical-only");
    rungs
        .iter()
        .fold(empty, |policy, (name, above, does)| {
            policy.rung(name, above, does)
        })
        .to_string()
}

async fn named(ctx: &Ctx, level: i32, name: &str) -> Result<BotDegradationPolicyStatus> {
    let status = await_status(ctx, "bot", &format!("{level} ({name})"), |status| {
        status.level == level && status.level_name == name && status.desired_level == level
    })
    .await?;
    let maps = ctx.api::<ConfigMap>();
    await_condition(&format!("the flags of {name}"), SOON, || async {
        let flags = flags(&maps.get("bot-flags").await?)?;
        Ok((flags.level_name == name).then_some(()))
    })
    .await?;
    Ok(status)
}

async fn ladder(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    let [shed, lighten, critical] = LADDER;
    ctx.apply(&policy(ctx, &[shed, lighten, critical])).await?;
    depth.set(500.0);
    let before = await_level(ctx, "bot", 2).await?;

    ctx.apply(&policy(ctx, &[EASY, shed, lighten, critical]))
        .await?;
    let inserted = named(ctx, 3, "lighten").await?;
    assert_eq!(
        inserted.since, before.since,
        "the level itself has not changed"
    );

    ctx.apply(&policy(ctx, &[EASY, shed, RENAMED, critical]))
        .await?;
    let renamed = named(ctx, 3, "dim").await?;
    let entry = renamed.history.last().context("no history")?;
    assert_eq!((entry.from, entry.to), (3, 3));
    assert_eq!(entry.reason, "SpecChanged");

    // gone, and what stands at its place is not new: the nearest one below
    ctx.apply(&policy(ctx, &[EASY, shed, critical])).await?;
    let removed = named(ctx, 2, "shed-luxury").await?;
    let reasons: Vec<&str> = removed.history.iter().map(|e| e.reason.as_str()).collect();
    assert_eq!(reasons, ["Escalated", "SpecChanged", "SpecChanged"]);
    let flapping = condition(&removed.conditions, FLAPPING).context("no such condition")?;
    assert_eq!(flapping.status, "False");
    await_ready(ctx, "bot").await?;

    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    Ok(())
}

/// The same while the operator is down.
async fn unseen(ctx: Ctx) -> Result<()> {
    let Scene {
        ctx,
        depth,
        operator,
        ..
    } = &Scene::set(ctx).await?;
    let [shed, lighten, critical] = LADDER;
    ctx.apply(&policy(ctx, &[shed, lighten, critical])).await?;
    depth.set(500.0);
    let before = await_level(ctx, "bot", 2).await?;
    operator.kill()?;
    ctx.apply(&policy(ctx, &[EASY, shed, lighten, critical]))
        .await?;
    operator.start_again().await?;
    let inserted = named(ctx, 3, "lighten").await?;
    assert_eq!(
        inserted.since, before.since,
        "the level itself has not changed"
    );

    operator.kill()?;
    ctx.apply(&policy(ctx, &[EASY, shed, RENAMED, critical]))
        .await?;
    operator.start_again().await?;
    let renamed = named(ctx, 3, "dim").await?;
    let reasons: Vec<&str> = renamed.history.iter().map(|e| e.reason.as_str()).collect();
    assert_eq!(reasons, ["Escalated", "SpecChanged"]);
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    Ok(())
}

async fn scale(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "one", 4)).await?;
    ctx.apply(&workload("Deployment", "two", 4)).await?;
    let with = |does| policy(ctx, &[("shed", "200", does), LADDER[2]]);
    ctx.apply(&with("scale: [{name: one, replicas: 0}]"))
        .await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "one", 0).await?;

    ctx.apply(&with("scale: [{name: one, replicas: '50%'}]"))
        .await?;
    await_replicas(ctx, "one", 2).await?;
    ctx.apply(&with("scale: [{name: two, replicas: 1}]"))
        .await?;
    await_replicas(ctx, "one", 4).await?;
    await_replicas(ctx, "two", 1).await?;
    let status = await_status(ctx, "bot", "one baseline", |s| s.baseline.len() == 1).await?;
    assert_eq!(status.level, 1);
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_replicas(ctx, "two", 4).await
}

async fn config_map(ctx: Ctx) -> Result<()> {
    let Scene {
        ctx,
        depth,
        operator,
        ..
    } = &Scene::set(ctx).await?;
    let named = |map: &str| {
        PolicyYaml::with_ladder(ctx, "bot")
            .spec(&format!("flags: {{configMap: {map}}}"))
            .to_string()
    };
    ctx.apply(&named("first")).await?;
    depth.set(300.0);
    await_flags(ctx, "first", 1).await?;
    ctx.apply(&named("second")).await?;
    await_flags(ctx, "second", 1).await?;
    await_let_go(ctx, "first").await?;
    await_ready(ctx, "bot").await?;

    // edited and deleted while nobody looks
    operator.kill()?;
    ctx.apply(&named("third")).await?;
    delete_policy(ctx, "bot").await?;
    operator.start_again().await?;
    await_policy_gone(ctx, "bot").await?;
    await_let_go(ctx, "second").await
}

async fn await_let_go(ctx: &Ctx, map: &str) -> Result<()> {
    let (map, _) = await_flags(ctx, map, 0).await?;
    assert!(!map.labels().contains_key("brownout.dev/policy"));
    Ok(())
}
