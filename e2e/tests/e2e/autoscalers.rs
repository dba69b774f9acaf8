//! Autoscalers: their bounds are moved with the number and given back, by Kubernetes' real controller.

use anyhow::{Result, ensure};
use brownout::api::{AutoscalerBaseline, BotDegradationPolicyStatus};
use e2e::harness::{Ctx, trial};
use libtest_mimic::Trial;

use crate::autoscalers_support::{
    await_bounds, bounds, delete_hpa, hpa, reconcile_once, refuse, set_bounds_as, sleeps, turn_to,
};
use crate::support::{
    PolicyYaml, Scene, await_level, await_policy_gone, await_ready, await_reason, await_replicas,
    await_set_replicas, await_status, delete_policy, ready_message, replicas, scale_as, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("autoscaler_bounds_are_moved_and_given_back", given_back),
        trial("autoscaler_outlives_a_crash_and_the_policy", crash_and_end),
        trial("autoscaler_appears_and_vanishes", appears_and_vanishes),
        trial("autoscaler_is_turned_to_another_target", turned_away),
        trial("autoscalers_doubled_are_left_alone", doubled),
        trial("autoscaler_bounds_of_a_person", a_persons_bounds),
        trial("autoscaler_set_back_is_contested", contested),
        trial("autoscaler_that_refuses_its_bounds", refused),
    ]
}

/// The bounds that status remembers of a workload's autoscaler.
fn kept(status: &BotDegradationPolicyStatus, workload: &str) -> Option<AutoscalerBaseline> {
    let found = status.baseline.iter().find(|b| b.name == workload);
    found.and_then(|baseline| baseline.autoscaler.clone())
}

fn of(name: &str, min: i32, max: i32) -> AutoscalerBaseline {
    AutoscalerBaseline {
        name: name.to_owned(),
        min_replicas: Some(min),
        max_replicas: max,
    }
}

async fn given_back(ctx: Ctx) -> Result<()> {
    let scene = &Scene::set(ctx).await?;
    let Scene { ctx, depth, .. } = scene;
    for (kind, name, replicas, min, max) in [
        ("Deployment", "luxury", 2, Some(1), 4),
        ("Deployment", "core", 3, Some(2), 10),
        ("StatefulSet", "cache", 2, None, 3),
    ] {
        ctx.apply(&workload(kind, name, replicas)).await?;
        ctx.apply(&hpa(name, kind, name, min, max)).await?;
    }
    let policy = PolicyYaml::new(ctx, "bot")
        .rung(
            "shed",
            "200",
            "scale: [{name: luxury, replicas: 0}, {name: core, replicas: '200%'}, \
             {kind: StatefulSet, name: cache, replicas: 1}]",
        )
        .rung(
            "harder",
            "400",
            "scale: [{name: luxury, replicas: 1}, {name: core, replicas: 12}]",
        );
    ctx.apply(&policy.to_string()).await?;
    let status = await_level(ctx, "bot", 0).await?;
    assert!(status.baseline.is_empty(), "nothing is touched at Normal");

    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "luxury", 0).await?;
    await_replicas(ctx, "core", 6).await?;
    await_set_replicas(ctx, "cache", 1).await?;
    await_bounds(ctx, "luxury", (1, 4)).await?;
    await_bounds(ctx, "core", (6, 10)).await?;
    await_bounds(ctx, "cache", (1, 1)).await?;
    let status = await_ready(ctx, "bot").await?;
    assert_eq!(kept(&status, "luxury"), Some(of("luxury", 1, 4)));
    assert_eq!(kept(&status, "core"), Some(of("core", 2, 10)));
    assert_eq!(kept(&status, "cache"), Some(of("cache", 1, 3)));
    assert!(status.baseline.iter().all(|b| b.set_backs.is_empty()));
    sleeps(ctx, "luxury").await?;
    reconcile_once(scene, "bot").await?;

    depth.set(500.0);
    await_level(ctx, "bot", 2).await?;
    await_replicas(ctx, "luxury", 1).await?;
    await_bounds(ctx, "luxury", (1, 1)).await?;
    await_replicas(ctx, "core", 12).await?;
    await_bounds(ctx, "core", (12, 12)).await?;
    await_ready(ctx, "bot").await?;
    depth.set(0.0);
    let status = await_level(ctx, "bot", 0).await?;
    assert!(status.baseline.is_empty());
    for (name, bounds) in [("luxury", (1, 4)), ("core", (2, 10)), ("cache", (1, 3))] {
        await_bounds(ctx, name, bounds).await?;
    }
    await_replicas(ctx, "luxury", 2).await?;
    await_set_replicas(ctx, "cache", 2).await?;
    await_ready(ctx, "bot").await.map(drop)
}

/// From 0, by another process than the one that scaled, and by the end of the policy.
async fn crash_and_end(ctx: Ctx) -> Result<()> {
    let scene = &Scene::set(ctx).await?;
    let Scene { ctx, depth, .. } = scene;
    for name in ["zero", "less"] {
        ctx.apply(&workload("Deployment", name, 4)).await?;
        ctx.apply(&hpa(name, "Deployment", name, Some(2), 6))
            .await?;
    }
    let policy = PolicyYaml::new(ctx, "bot").rung(
        "shed",
        "200",
        "scale: [{name: zero, replicas: 0}, {name: less, replicas: '25%'}]",
    );
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "zero", 0).await?;
    await_replicas(ctx, "less", 1).await?;
    await_bounds(ctx, "less", (1, 1)).await?;
    scene.operator.kill()?;
    scene.operator.start_again().await?;
    await_ready(ctx, "bot").await?;
    reconcile_once(scene, "bot").await?;

    // handed back, and taken again
    let dry = policy
        .to_string()
        .replace("spec:\n", "spec:\n  mode: DryRun\n");
    ctx.apply(&dry).await?;
    for name in ["zero", "less"] {
        await_bounds(ctx, name, (2, 6)).await?;
        await_replicas(ctx, name, 4).await?;
    }
    ctx.apply(&policy.spec("mode: Enforce").to_string()).await?;
    await_replicas(ctx, "zero", 0).await?;
    await_bounds(ctx, "less", (1, 1)).await?;
    await_replicas(ctx, "less", 1).await?;

    delete_policy(ctx, "bot").await?;
    await_policy_gone(ctx, "bot").await?;
    for name in ["zero", "less"] {
        assert_eq!(bounds(ctx, name).await?, (2, 6));
        await_replicas(ctx, name, 4).await?;
    }
    Ok(())
}

async fn appears_and_vanishes(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "worker", 5)).await?;
    let policy =
        PolicyYaml::new(ctx, "bot").rung("shed", "200", "scale: [{name: worker, replicas: 1}]");
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "worker", 1).await?;

    ctx.apply(&hpa("worker", "Deployment", "worker", Some(3), 8))
        .await?;
    await_bounds(ctx, "worker", (1, 1)).await?;
    await_replicas(ctx, "worker", 1).await?;
    let status = await_status(ctx, "bot", "the adopted autoscaler", |status| {
        kept(status, "worker") == Some(of("worker", 3, 8))
    })
    .await?;
    assert_eq!(
        status.baseline[0].replicas, 5,
        "not what the autoscaler set"
    );

    delete_hpa(ctx, "worker").await?;
    await_status(ctx, "bot", "no autoscaler", |status| {
        status
            .baseline
            .first()
            .is_some_and(|b| b.autoscaler.is_none())
    })
    .await?;
    await_ready(ctx, "bot").await?;
    assert_eq!(replicas(ctx, "worker").await?, 1);

    ctx.apply(&hpa("other", "Deployment", "worker", Some(2), 4))
        .await?;
    await_bounds(ctx, "other", (1, 1)).await?;
    await_replicas(ctx, "worker", 1).await?;
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_bounds(ctx, "other", (2, 4)).await?;
    // within the bounds that there are now
    await_replicas(ctx, "worker", 4).await
}

/// Whose bounds are moved gets them back, whomever it scales by then.
async fn turned_away(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "worker", 4)).await?;
    ctx.apply(&workload("Deployment", "idle", 3)).await?;
    ctx.apply(&hpa("auto", "Deployment", "worker", Some(2), 8))
        .await?;
    let policy =
        PolicyYaml::new(ctx, "bot").rung("shed", "200", "scale: [{name: worker, replicas: 1}]");
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_bounds(ctx, "auto", (1, 1)).await?;
    await_replicas(ctx, "worker", 1).await?;

    turn_to(ctx, "auto", "idle").await?;
    await_bounds(ctx, "auto", (2, 8)).await?;
    await_status(ctx, "bot", "no autoscaler", |status| {
        status
            .baseline
            .first()
            .is_some_and(|b| b.autoscaler.is_none())
    })
    .await?;
    assert_eq!(replicas(ctx, "worker").await?, 1);
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_replicas(ctx, "worker", 4).await
}

/// Kubernetes lets neither of two follow its metrics, but both clamp.
async fn doubled(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply(&workload("Deployment", "worker", 4)).await?;
    ctx.apply(&hpa("one", "Deployment", "worker", Some(2), 8))
        .await?;
    ctx.apply(&hpa("two", "Deployment", "worker", Some(3), 9))
        .await?;
    let policy = PolicyYaml::new(ctx, "bot").rung(
        "shed",
        "200",
        "tiers: {luxury: Disabled}\n    scale: [{name: worker, replicas: 1}]",
    );
    ctx.apply(&policy.to_string()).await?;
    let status = await_reason(ctx, "bot", "TargetContested").await?;
    let message = ready_message(&status);
    assert!(
        message.contains("the HorizontalPodAutoscaler one and the HorizontalPodAutoscaler two"),
        "told before the incident: {message}"
    );
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    assert_eq!(replicas(ctx, "worker").await?, 4, "left as it is");

    delete_hpa(ctx, "two").await?;
    await_replicas(ctx, "worker", 1).await?;
    await_bounds(ctx, "one", (1, 1)).await?;
    await_ready(ctx, "bot").await?;

    // doubled in mid-incident: what stands stands, and is given back
    ctx.apply(&hpa("two", "Deployment", "worker", Some(1), 9))
        .await?;
    await_reason(ctx, "bot", "TargetContested").await?;
    assert_eq!(bounds(ctx, "one").await?, (1, 1));
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_bounds(ctx, "one", (2, 8)).await?;
    await_replicas(ctx, "worker", 4).await?;
    assert_eq!(bounds(ctx, "two").await?, (1, 9));
    Ok(())
}

async fn a_persons_bounds(ctx: Ctx) -> Result<()> {
    let scene = &Scene::set(ctx).await?;
    let Scene { ctx, depth, .. } = scene;
    ctx.apply(&workload("Deployment", "worker", 4)).await?;
    ctx.apply(&hpa("worker", "Deployment", "worker", Some(2), 8))
        .await?;
    let policy =
        PolicyYaml::new(ctx, "bot").rung("shed", "200", "scale: [{name: worker, replicas: 3}]");
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_bounds(ctx, "worker", (2, 3)).await?;
    await_replicas(ctx, "worker", 3).await?;

    set_bounds_as(ctx, "kubectl-edit", "worker", (2, 20)).await?;
    await_bounds(ctx, "worker", (2, 3)).await?;
    await_status(ctx, "bot", "the new baseline", |status| {
        kept(status, "worker") == Some(of("worker", 2, 20))
    })
    .await?;
    // a lower one that the level lets be is no set-back
    set_bounds_as(ctx, "kubectl-edit", "worker", (1, 3)).await?;
    let status = await_status(ctx, "bot", "the lower bound", |status| {
        kept(status, "worker") == Some(of("worker", 1, 20))
    })
    .await?;
    assert_eq!(status.baseline[0].set_backs.len(), 1);
    // what moves within the bounds is nobody's set-back either
    scale_as(ctx, "kubectl", "worker", 2).await?;
    reconcile_once(scene, "bot").await?;
    assert_eq!(replicas(ctx, "worker").await?, 2);

    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_bounds(ctx, "worker", (1, 20)).await
}

/// Three times in ten minutes, over a restart of the operator.
async fn contested(ctx: Ctx) -> Result<()> {
    let scene = &Scene::set(ctx).await?;
    let Scene { ctx, depth, .. } = scene;
    ctx.apply(&workload("Deployment", "worker", 4)).await?;
    ctx.apply(&hpa("worker", "Deployment", "worker", Some(2), 8))
        .await?;
    let policy =
        PolicyYaml::new(ctx, "bot").rung("shed", "200", "scale: [{name: worker, replicas: 1}]");
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    for number in 1..=2 {
        await_bounds(ctx, "worker", (1, 1)).await?;
        set_bounds_as(ctx, "argocd", "worker", (2, 8)).await?;
        await_status(ctx, "bot", "the set-back to be seen", |status| {
            status.baseline[0].set_backs.len() == number
        })
        .await?;
    }
    await_bounds(ctx, "worker", (1, 1)).await?;
    scene.operator.kill()?;
    scene.operator.start_again().await?;
    await_ready(ctx, "bot").await?;
    // not counted: a new process does not know whether that was there before
    set_bounds_as(ctx, "argocd", "worker", (2, 9)).await?;
    await_bounds(ctx, "worker", (1, 1)).await?;
    set_bounds_as(ctx, "argocd", "worker", (2, 8)).await?;
    let status = await_reason(ctx, "bot", "TargetContested").await?;
    let message = ready_message(&status);
    assert!(message.contains("argocd"), "{message}");
    assert!(message.contains("maxReplicas"), "{message}");
    await_bounds(ctx, "worker", (2, 8)).await?;
    depth.set(0.0);
    let status = await_level(ctx, "bot", 0).await?;
    assert!(status.baseline.is_empty());
    await_ready(ctx, "bot").await?;
    assert_eq!(bounds(ctx, "worker").await?, (2, 8));
    Ok(())
}

/// Bounds that may not be moved leave the number alone too: the autoscaler would only take it back.
async fn refused(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    // it is to be denied
    ctx.environment()
        .rights()
        .await?
        .pardon(&ctx.operator_user());
    for name in ["fixed", "free"] {
        ctx.apply(&workload("Deployment", name, 4)).await?;
        ctx.apply(&hpa(name, "Deployment", name, Some(2), 8))
            .await?;
    }
    let rule = refuse(ctx, "fixed").await?;
    let policy = PolicyYaml::new(ctx, "bot").rung(
        "shed",
        "200",
        "scale: [{name: fixed, replicas: 1}, {name: free, replicas: 1}]",
    );
    ctx.apply(&policy.to_string()).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_replicas(ctx, "free", 1).await?;
    let status = await_reason(ctx, "bot", "Forbidden").await?;
    let message = ready_message(&status);
    ensure!(
        message.contains("the HorizontalPodAutoscaler fixed")
            && message.contains("the ValidatingAdmissionPolicy fixed-")
            && message.contains("not to be moved"),
        "{message}"
    );
    assert_eq!(replicas(ctx, "fixed").await?, 4);
    assert_eq!(bounds(ctx, "fixed").await?, (2, 8));
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_replicas(ctx, "free", 4).await?;
    await_ready(ctx, "bot").await?;
    rule.lift(ctx).await
}
