//! Somebody keeps setting a target back: it is left alone until the incident or the spec is over.

use anyhow::Result;
use brownout::api::BotDegradationPolicyStatus;
use e2e::harness::{Ctx, trial};
use libtest_mimic::Trial;

use crate::support::{
    PolicyYaml, Scene, await_event, await_level, await_ready, await_reason, await_replicas,
    await_status, ready_message, replicas, scale_as, set_as, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("contested_target_is_left_alone_until_normal", until_normal),
        trial(
            "contested_target_is_tried_again_after_an_edit",
            until_an_edit,
        ),
        trial("contested_by_somebody_without_a_name", without_a_name),
    ]
}

fn policy(ctx: &Ctx) -> PolicyYaml {
    PolicyYaml::new(ctx, "bot")
        .rung(
            "scale",
            "200",
            "scale: [{name: worker, replicas: 0}, {name: other, replicas: 1}]",
        )
        .rung("shed", "400", "tiers: {luxury: Disabled}")
}

/// A self-heal that sets the number of its manifest back, three times.
async fn contest(scene: &Scene) -> Result<BotDegradationPolicyStatus> {
    let ctx = &scene.ctx;
    ctx.apply(&workload("Deployment", "worker", 3)).await?;
    ctx.apply(&workload("Deployment", "other", 2)).await?;
    ctx.apply(&policy(ctx).to_string()).await?;
    scene.depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    for _ in 0..3 {
        await_replicas(ctx, "worker", 0).await?;
        await_ready(ctx, "bot").await?;
        set_as(ctx, "argocd", "worker", 3).await?;
    }
    await_reason(ctx, "bot", "TargetContested").await
}

fn contested_by<'a>(status: &'a BotDegradationPolicyStatus, name: &str) -> Option<&'a str> {
    let found = status.baseline.iter().find(|b| b.name == name);
    found.and_then(|baseline| baseline.contested_by.as_deref())
}

async fn until_normal(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let (ctx, depth) = (&scene.ctx, &scene.depth);
    let status = contest(&scene).await?;
    assert!(ready_message(&status).contains("worker"));
    assert!(ready_message(&status).contains("argocd"));
    assert_eq!(contested_by(&status, "worker"), Some("argocd"));
    assert_eq!(contested_by(&status, "other"), None);
    let note = await_event(ctx, "bot", "TargetContested").await?;
    assert!(note.contains("argocd"), "{note}");

    // whatever happens now, a whole round later it is still as they left it
    set_as(ctx, "argocd", "worker", 5).await?;
    depth.set(500.0);
    await_level(ctx, "bot", 2).await?;
    assert_eq!(replicas(ctx, "worker").await?, 5);
    assert_eq!(replicas(ctx, "other").await?, 1);
    scene.operator.kill()?;
    scene.operator.start_again().await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    assert_eq!(replicas(ctx, "worker").await?, 5);
    let status = await_reason(ctx, "bot", "TargetContested").await?;
    assert_eq!(contested_by(&status, "worker"), Some("argocd"));

    depth.set(0.0);
    let status = await_level(ctx, "bot", 0).await?;
    assert!(status.baseline.is_empty());
    await_ready(ctx, "bot").await?;
    assert_eq!(
        replicas(ctx, "worker").await?,
        5,
        "the baseline is not restored"
    );
    await_replicas(ctx, "other", 2).await?;

    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "worker", 0).await
}

async fn until_an_edit(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let (ctx, depth) = (&scene.ctx, &scene.depth);
    contest(&scene).await?;
    set_as(ctx, "argocd", "worker", 4).await?;
    assert_eq!(replicas(ctx, "worker").await?, 4);

    ctx.apply(&policy(ctx).spec("maxLevel: scale").to_string())
        .await?;
    await_replicas(ctx, "worker", 0).await?;
    let status = await_ready(ctx, "bot").await?;
    assert_eq!(contested_by(&status, "worker"), None);

    // the same once more, and the edit comes while nobody looks
    for _ in 0..3 {
        await_replicas(ctx, "worker", 0).await?;
        set_as(ctx, "argocd", "worker", 4).await?;
        await_status(ctx, "bot", "the set-back to be seen", |status| {
            status
                .baseline
                .iter()
                .any(|b| b.name == "worker" && b.replicas == 4)
        })
        .await?;
    }
    await_reason(ctx, "bot", "TargetContested").await?;
    scene.operator.kill()?;
    ctx.apply(&policy(ctx).spec("maxLevel: shed").to_string())
        .await?;
    scene.operator.start_again().await?;
    await_replicas(ctx, "worker", 0).await?;
    await_ready(ctx, "bot").await?;
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_replicas(ctx, "worker", 4).await
}

/// After a scale to 0 the API server tracks nobody who scales: all that can be told is that it happens.
async fn without_a_name(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "worker", 3)).await?;
    ctx.apply(&workload("Deployment", "other", 2)).await?;
    ctx.apply(&policy(ctx).to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    for _ in 0..3 {
        await_replicas(ctx, "worker", 0).await?;
        await_ready(ctx, "bot").await?;
        scale_as(ctx, "kubectl", "worker", 3).await?;
    }
    let status = await_reason(ctx, "bot", "TargetContested").await?;
    assert_eq!(contested_by(&status, "worker"), Some("unknown"));
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    assert_eq!(replicas(ctx, "worker").await?, 3);
    await_replicas(ctx, "other", 2).await
}
