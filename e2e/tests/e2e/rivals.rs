//! Two policies want one thing: the older has it, the younger waits and says so.

use anyhow::Result;
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, trial};
use e2e::wait::await_condition;
use kube::ResourceExt as _;
use libtest_mimic::Trial;

use crate::support::{
    PolicyYaml, SOON, Scene, await_flags, await_level, await_policy_gone, await_ready,
    await_reason, await_replicas, await_status, delete_policy, ready_message, replicas, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("rivals_for_a_target", for_a_target),
        trial("rivals_for_a_config_map", for_a_config_map),
    ]
}

/// Kubernetes knows ages in whole seconds: waits until a policy made now is a younger one.
async fn await_younger(ctx: &Ctx, policy: &str) -> Result<()> {
    let made = ctx.api::<BotDegradationPolicy>().get(policy).await?;
    let made = made.creation_timestamp().map_or(0, |at| at.0.as_second());
    await_condition("the next second", SOON, || async {
        Ok((jiff::Timestamp::now().as_second() > made).then_some(()))
    })
    .await
}

/// The names are such that only their ages make `z-older` the first.
async fn for_a_target(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "worker", 4)).await?;
    ctx.apply(&workload("Deployment", "own", 2)).await?;
    let older =
        PolicyYaml::new(ctx, "z-older").rung("shed", "200", "scale: [{name: worker, replicas: 1}]");
    ctx.apply(&older.to_string()).await?;
    await_ready(ctx, "z-older").await?;
    await_younger(ctx, "z-older").await?;
    let younger = PolicyYaml::new(ctx, "a-younger").rung(
        "shed",
        "200",
        "scale: [{name: worker, replicas: 2}, {name: own, replicas: 0}]",
    );
    ctx.apply(&younger.to_string()).await?;
    let status = await_reason(ctx, "a-younger", "TargetConflict").await?;
    assert!(ready_message(&status).contains("z-older"));

    depth.set(300.0);
    await_level(ctx, "z-older", 1).await?;
    await_level(ctx, "a-younger", 1).await?;
    await_replicas(ctx, "worker", 1).await?;
    await_replicas(ctx, "own", 0).await?;
    let status = await_reason(ctx, "a-younger", "TargetConflict").await?;
    let held: Vec<&str> = status.baseline.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(held, ["own"], "the one that is not free has no baseline");
    await_ready(ctx, "z-older").await?;

    delete_policy(ctx, "z-older").await?;
    await_policy_gone(ctx, "z-older").await?;
    await_ready(ctx, "a-younger").await?;
    await_replicas(ctx, "worker", 2).await?;
    await_status(ctx, "a-younger", "the true baseline", |status| {
        status
            .baseline
            .iter()
            .any(|b| b.name == "worker" && b.replicas == 4)
    })
    .await?;
    depth.set(0.0);
    await_level(ctx, "a-younger", 0).await?;
    assert_eq!(replicas(ctx, "worker").await?, 4);
    Ok(())
}

async fn for_a_config_map(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    let policy = |name| {
        PolicyYaml::with_ladder(ctx, name)
            .spec("flags: {configMap: shared}")
            .to_string()
    };
    ctx.apply(&policy("z-older")).await?;
    await_ready(ctx, "z-older").await?;
    await_younger(ctx, "z-older").await?;
    ctx.apply(&policy("a-younger")).await?;
    let status = await_reason(ctx, "a-younger", "TargetConflict").await?;
    assert!(ready_message(&status).contains("z-older"));

    depth.set(300.0);
    await_status(ctx, "a-younger", "level 1", |status| status.level == 1).await?;
    let (_, flags) = await_flags(ctx, "shared", 1).await?;
    assert_eq!(flags.policy, "z-older");

    delete_policy(ctx, "z-older").await?;
    await_policy_gone(ctx, "z-older").await?;
    await_ready(ctx, "a-younger").await?;
    let (map, after) = await_flags(ctx, "shared", 1).await?;
    assert_eq!(after.policy, "a-younger");
    assert_eq!(
        map.labels().get("brownout.dev/policy").map(String::as_str),
        Some("a-younger")
    );
    assert!(after.epoch > flags.epoch);
    Ok(())
}
