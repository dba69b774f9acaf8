//! Replicas: recorded, written, given back; and a person's number is respected.

use anyhow::Result;
use brownout::api::BotDegradationPolicyStatus;
use e2e::harness::{Ctx, trial};
use libtest_mimic::Trial;

use crate::support::{
    PolicyYaml, Scene, await_level, await_ready, await_reason, await_replicas, await_set_replicas,
    await_status, ready_message, scale_as, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("replicas_are_written_and_given_back", given_back),
        trial(
            "replicas_of_a_person_are_the_new_baseline",
            a_persons_number,
        ),
        trial(
            "replicas_of_a_missing_target_stop_nothing",
            a_missing_target,
        ),
    ]
}

const SCALE: &str = "scale: [{name: luxury, replicas: 0}, {name: core, replicas: '150%'}, \
     {kind: StatefulSet, name: cache, replicas: 1}]";

async fn workloads(ctx: &Ctx) -> Result<()> {
    ctx.apply(&workload("Deployment", "luxury", 2)).await?;
    ctx.apply(&workload("Deployment", "core", 3)).await?;
    ctx.apply(&workload("StatefulSet", "cache", 2)).await?;
    Ok(())
}

async fn given_back(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    workloads(ctx).await?;
    let policy = PolicyYaml::new(ctx, "bot").rung("shed", "200", SCALE).rung(
        "harder",
        "400",
        "scale: [{name: core, replicas: 6}]",
    );
    ctx.apply(&policy.to_string()).await?;
    let status = await_level(ctx, "bot", 0).await?;
    assert!(status.baseline.is_empty(), "nothing is touched at Normal");

    depth.set(300.0);
    let status = await_level(ctx, "bot", 1).await?;
    assert_eq!(
        baselines(&status),
        [("cache", 2), ("core", 3), ("luxury", 2)]
    );
    await_replicas(ctx, "luxury", 0).await?;
    await_replicas(ctx, "core", 5).await?;
    await_set_replicas(ctx, "cache", 1).await?;
    await_ready(ctx, "bot").await?;

    depth.set(500.0);
    await_level(ctx, "bot", 2).await?;
    await_replicas(ctx, "core", 6).await?;

    depth.set(0.0);
    let status = await_level(ctx, "bot", 0).await?;
    assert!(
        status.baseline.is_empty(),
        "what is given back is forgotten"
    );
    await_replicas(ctx, "luxury", 2).await?;
    await_replicas(ctx, "core", 3).await?;
    await_set_replicas(ctx, "cache", 2).await
}

async fn a_persons_number(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    workloads(ctx).await?;
    let policy = PolicyYaml::new(ctx, "bot").rung("shed", "200", SCALE);
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "core", 5).await?;
    await_replicas(ctx, "luxury", 0).await?;

    scale_as(ctx, "kubectl", "core", 10).await?;
    await_replicas(ctx, "core", 15).await?;
    scale_as(ctx, "kubectl", "luxury", 4).await?;
    await_replicas(ctx, "luxury", 0).await?;
    await_status(ctx, "bot", "the new baselines", |status| {
        baselines(status) == [("cache", 2), ("core", 10), ("luxury", 4)]
    })
    .await?;
    await_ready(ctx, "bot").await?;

    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_replicas(ctx, "core", 10).await?;
    await_replicas(ctx, "luxury", 4).await
}

async fn a_missing_target(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "core", 3)).await?;
    ctx.apply(&workload("StatefulSet", "cache", 2)).await?;
    let policy = PolicyYaml::new(ctx, "bot").rung("shed", "200", SCALE);
    ctx.apply(&policy.to_string()).await?;
    let status = await_reason(ctx, "bot", "TargetNotFound").await?;
    assert!(ready_message(&status).contains("luxury"));

    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "core", 5).await?;
    await_set_replicas(ctx, "cache", 1).await?;
    await_reason(ctx, "bot", "TargetNotFound").await?;

    ctx.apply(&workload("Deployment", "luxury", 2)).await?;
    await_replicas(ctx, "luxury", 0).await?;
    await_ready(ctx, "bot").await?;
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_replicas(ctx, "luxury", 2).await
}

fn baselines(status: &BotDegradationPolicyStatus) -> Vec<(&str, i32)> {
    let mut all: Vec<_> = status
        .baseline
        .iter()
        .map(|baseline| (baseline.name.as_str(), baseline.replicas))
        .collect();
    all.sort_unstable();
    all
}
