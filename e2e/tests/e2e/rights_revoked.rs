//! Who takes the operator's rights away keeps nobody else from anything, on the real API server.

use anyhow::{Context as _, Result};
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::overlay::{Overlay, refused};
use crate::support::{PolicyYaml, SOON, scale_as, workload};

pub(crate) fn tests() -> Vec<Trial> {
    [trial(
        "rights_that_are_taken_away_keep_nobody_else_from_anything",
        taken_away,
    )]
    .map(needs_own_cluster)
    .into()
}

const OPT_IN: &str = "label it brownout.dev/scale=allowed";

/// A binding without `subjects` is valid: it is what is left when the last one is taken out.
async fn taken_away(ctx: Ctx) -> Result<()> {
    let install = Overlay::install(&ctx, "base", &["scale-opt-in"], json!({})).await?;
    ctx.apply(&workload("Deployment", "worker", 2)).await?;
    ctx.apply(&PolicyYaml::with_ladder(&ctx, "bot").to_string())
        .await?;
    let mine = Api::<Deployment>::namespaced(install.login(&ctx).await?.client, ctx.namespace());
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let one = Patch::Merge(json!({"spec": {"replicas": 1}}));
    await_condition("the admission policy to be in force", SOON, || async {
        let tried = mine.patch_scale("worker", &dry, &one).await;
        refused("scale", tried, OPT_IN).map(Some)
    })
    .await?;

    let bindings = Api::<ClusterRoleBinding>::all(ctx.client());
    let name = format!("{}brownout-cluster", install.prefix);
    let nobody = Patch::Merge(json!({"subjects": null}));
    let left = bindings
        .patch(&name, &PatchParams::default(), &nobody)
        .await
        .context(name)?;
    assert_eq!(left.subjects.unwrap_or_default(), []);
    // Other bindings still let it scale: what changes is what admission says, which hears of it by a watch.
    await_condition("admission to hear of it", SOON, || async {
        let tried = mine.patch_scale("worker", &dry, &one).await;
        Ok(refused("scale", tried, OPT_IN).is_err().then_some(()))
    })
    .await?;

    let maps = ctx.api::<ConfigMap>();
    let policies = ctx.api::<BotDegradationPolicy>();
    let map = serde_json::from_value(json!({"metadata": {"name": "anybodys"}}))?;
    maps.create(&PostParams::default(), &map).await?;
    maps.delete("anybodys", &DeleteParams::default()).await?;
    let edit = Patch::Merge(json!({"spec": {"interval": "7s"}}));
    policies
        .patch("bot", &PatchParams::default(), &edit)
        .await?;
    scale_as(&ctx, "somebody", "worker", 3).await
}
