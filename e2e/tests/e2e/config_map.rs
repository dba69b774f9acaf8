//! The flags `ConfigMap`: kept as it should be, and never taken from somebody else.

use anyhow::{Context as _, Result};
use e2e::harness::{Ctx, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::support::{
    PolicyYaml, SOON, Scene, await_flags, await_level, await_ready, await_reason, await_status,
    flags, ready_message,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("config_map_edited_by_hand_is_put_right", edited_by_hand),
        trial("config_map_deleted_by_hand_is_made_anew", deleted_by_hand),
        trial("config_map_of_somebody_else_is_not_touched", somebody_elses),
        trial("config_map_that_was_let_go_is_taken_up", let_go),
    ]
}

async fn degraded(scene: &Scene) -> Result<i64> {
    let ctx = &scene.ctx;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "bot").to_string())
        .await?;
    scene.depth.set(300.0);
    let status = await_level(ctx, "bot", 1).await?;
    Ok(status.flags.context("no flags in status")?.epoch)
}

async fn edited_by_hand(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let mut epoch = degraded(&scene).await?;
    let maps = scene.ctx.api::<ConfigMap>();
    let edits = [
        json!({"data": {"animations": "true"}}),
        json!({"data": {"state.json": "{\"version\":1}"}}),
        json!({"data": {"state.json": null, "extra": "x"}}),
        json!({"data": null}),
        json!({"binaryData": {"more": "AAAA"}}),
    ];
    for edit in edits {
        let hand = PatchParams::default();
        let edited = maps.patch("bot-flags", &hand, &Patch::Merge(&edit)).await?;
        let map = await_condition(&format!("{edit} to be put right"), SOON, || async {
            let map = maps.get("bot-flags").await?;
            let right = map.resource_version() != edited.resource_version()
                && flags(&map).is_ok_and(|flags| flags.level == 1)
                && map.data.as_ref().is_some_and(|data| data.len() == 5)
                && map.binary_data.is_none();
            Ok(right.then_some(map))
        })
        .await?;
        let now = flags(&map)?.epoch;
        assert!(
            now > epoch,
            "after {edit} the epoch went from {epoch} to {now}"
        );
        epoch = now;
    }
    await_status(&scene.ctx, "bot", "the epoch", |status| {
        status
            .flags
            .as_ref()
            .is_some_and(|flags| flags.epoch == epoch)
    })
    .await?;
    Ok(())
}

async fn deleted_by_hand(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let mut epoch = degraded(&scene).await?;
    let maps = scene.ctx.api::<ConfigMap>();
    for _ in 0..5 {
        let old = maps.get("bot-flags").await?.uid();
        maps.delete("bot-flags", &DeleteParams::default()).await?;
        let map = await_condition("the ConfigMap to be made anew", SOON, || async {
            Ok(maps
                .get_opt("bot-flags")
                .await?
                .filter(|map| map.uid() != old))
        })
        .await?;
        let now = flags(&map)?;
        assert_eq!(now.level, 1);
        assert!(
            now.epoch > epoch,
            "the epoch went from {epoch} to {}",
            now.epoch
        );
        epoch = now.epoch;
        await_status(&scene.ctx, "bot", "the epoch", |status| {
            status
                .flags
                .as_ref()
                .is_some_and(|flags| flags.epoch == epoch)
        })
        .await?;
    }
    Ok(())
}

async fn somebody_elses(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    ctx.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: bot-flags}, data: {a: b}}")
        .await?;
    let maps = ctx.api::<ConfigMap>();
    let before = maps.get("bot-flags").await?;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "bot").to_string())
        .await?;
    let status = await_reason(ctx, "bot", "ConfigMapNotOwned").await?;
    assert!(ready_message(&status).contains("bot-flags"));

    depth.set(300.0);
    let status = await_status(ctx, "bot", "level 1", |status| status.level == 1).await?;
    assert_eq!(status.flags, None, "none of ours are published");
    await_reason(ctx, "bot", "ConfigMapNotOwned").await?;
    assert_eq!(maps.get("bot-flags").await?, before, "it is not touched");

    maps.delete("bot-flags", &DeleteParams::default()).await?;
    await_level(ctx, "bot", 1).await?;
    await_ready(ctx, "bot").await?;
    Ok(())
}

async fn let_go(ctx: Ctx) -> Result<()> {
    let Scene { ctx, .. } = &Scene::set(ctx).await?;
    ctx.apply(
        "{apiVersion: v1, kind: ConfigMap, data: {a: b}, metadata: {name: bot-flags, \
         labels: {app.kubernetes.io/managed-by: brownout, team: bots}, annotations: {note: kept}}}",
    )
    .await?;
    let before = ctx.api::<ConfigMap>().get("bot-flags").await?;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "bot").to_string())
        .await?;
    let (map, _) = await_flags(ctx, "bot-flags", 0).await?;
    assert_eq!(map.uid(), before.uid(), "taken up, not made anew");
    let label = |name: &str| map.labels().get(name).map(String::as_str);
    assert_eq!(label("brownout.dev/policy"), Some("bot"));
    assert_eq!(label("team"), Some("bots"));
    assert_eq!(
        map.annotations().get("note").map(String::as_str),
        Some("kept")
    );
    assert_eq!(
        map.data
            .iter()
            .flatten()
            .filter(|(key, _)| *key == "a")
            .count(),
        0
    );
    await_ready(ctx, "bot").await?;
    Ok(())
}
