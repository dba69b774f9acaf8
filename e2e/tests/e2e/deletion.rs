//! A policy that goes gives everything back, whether or not the operator is there to see it.

use anyhow::Result;
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::DeleteParams;
use kube::{Api, ResourceExt as _};
use libtest_mimic::Trial;

use crate::support::{
    PolicyYaml, SOON, Scene, await_flags, await_level, await_policy_gone, await_replicas,
    delete_policy, flags, replicas, values, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("deletion_gives_everything_back", gives_back),
        trial(
            "deletion_is_made_good_after_the_operator_was_down",
            operator_down,
        ),
        trial(
            "deletion_of_a_spec_turned_bad_gives_back_too",
            spec_turned_bad,
        ),
        trial(
            "deletion_after_an_edit_unseen_gives_back_too",
            edited_unseen,
        ),
        trial("deletion_of_the_namespace_is_not_held_up", namespace),
        trial(
            "deletion_of_the_namespace_waits_for_the_operator",
            namespace_down,
        ),
    ]
}

const SCALE: &str = "scale: [{name: luxury, replicas: 0}, {name: core, replicas: '150%'}]";

async fn degraded(scene: &Scene, policy: &str) -> Result<()> {
    let ctx = &scene.ctx;
    ctx.apply(&workload("Deployment", "luxury", 2)).await?;
    ctx.apply(&workload("Deployment", "core", 3)).await?;
    ctx.apply(&ladder(ctx, policy).to_string()).await?;
    scene.depth.set(500.0);
    await_level(ctx, policy, 2).await?;
    await_replicas(ctx, "luxury", 0).await?;
    await_replicas(ctx, "core", 5).await
}

fn ladder(ctx: &Ctx, policy: &str) -> PolicyYaml {
    PolicyYaml::new(ctx, policy)
        .rung("shed-luxury", "200", "tiers: {luxury: Disabled}")
        .rung("scale", "400", SCALE)
}

async fn all_is_given_back(ctx: &Ctx, policy: &str) -> Result<()> {
    await_policy_gone(ctx, policy).await?;
    assert_eq!(replicas(ctx, "luxury").await?, 2);
    assert_eq!(replicas(ctx, "core").await?, 3);
    let map = ctx
        .api::<ConfigMap>()
        .get(&format!("{policy}-flags"))
        .await?;
    let flags = flags(&map)?;
    assert_eq!((flags.level, flags.level_name.as_str()), (0, "Normal"));
    assert_eq!(values(&flags), ["true", "512", "true"]);
    assert!(!map.labels().contains_key("brownout.dev/policy"));
    assert_eq!(
        map.labels()
            .get("app.kubernetes.io/managed-by")
            .map(String::as_str),
        Some("brownout")
    );
    Ok(())
}

async fn gives_back(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    degraded(&scene, "bot").await?;
    let (_, before) = await_flags(ctx, "bot-flags", 2).await?;
    delete_policy(ctx, "bot").await?;
    all_is_given_back(ctx, "bot").await?;
    let (_, after) = await_flags(ctx, "bot-flags", 0).await?;
    assert!(after.epoch > before.epoch);

    // and a policy of that name takes the ConfigMap up again
    degraded(&scene, "bot").await
}

async fn operator_down(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    degraded(&scene, "bot").await?;
    scene.operator.kill()?;
    delete_policy(&scene.ctx, "bot").await?;
    scene.operator.start_again().await?;
    all_is_given_back(&scene.ctx, "bot").await
}

/// A query that is refused, then a restart, so that nobody remembers how the policy was understood.
async fn spec_turned_bad(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    degraded(&scene, "bot").await?;
    scene.operator.kill()?;
    let refused = ladder(ctx, "bot").to_string().replace("})'", "}) > 200'");
    ctx.apply(&refused).await?;
    delete_policy(ctx, "bot").await?;
    scene.operator.start_again().await?;
    all_is_given_back(ctx, "bot").await
}

/// While the operator is down, the rung that scales goes, then the policy.
async fn edited_unseen(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    degraded(&scene, "bot").await?;
    scene.operator.kill()?;
    let shorter =
        PolicyYaml::new(ctx, "bot").rung("shed-luxury", "200", "tiers: {luxury: Disabled}");
    ctx.apply(&shorter.to_string()).await?;
    delete_policy(ctx, "bot").await?;
    scene.operator.start_again().await?;
    all_is_given_back(ctx, "bot").await
}

async fn namespace(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    degraded(&scene, "bot").await?;
    scene
        .ctx
        .apply(&PolicyYaml::with_ladder(&scene.ctx, "other").to_string())
        .await?;
    await_level(&scene.ctx, "other", 2).await?;
    delete_namespace(&scene.ctx).await?;
    await_namespace_gone(&scene.ctx).await
}

async fn namespace_down(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    degraded(&scene, "bot").await?;
    scene.operator.kill()?;
    delete_namespace(&scene.ctx).await?;
    let (policies, maps) = (
        scene.ctx.api::<BotDegradationPolicy>(),
        scene.ctx.api::<ConfigMap>(),
    );
    await_condition("the policy alone to be left", SOON, || async {
        let held = policies.get("bot").await?.metadata.deletion_timestamp;
        let gone = maps.get_opt("bot-flags").await?.is_none();
        Ok((held.is_some() && gone).then_some(()))
    })
    .await?;
    scene.operator.start_again().await?;
    await_namespace_gone(&scene.ctx).await
}

async fn delete_namespace(ctx: &Ctx) -> Result<()> {
    Api::<Namespace>::all(ctx.client())
        .delete(ctx.namespace(), &DeleteParams::default())
        .await?;
    Ok(())
}

async fn await_namespace_gone(ctx: &Ctx) -> Result<()> {
    let namespaces = Api::<Namespace>::all(ctx.client());
    await_condition("the namespace to be gone", SOON, || async {
        let left = namespaces.get_opt(ctx.namespace()).await?;
        Ok(left.is_none().then_some(()))
    })
    .await
}
