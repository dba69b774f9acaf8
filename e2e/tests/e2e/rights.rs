//! What the operator is kept from by admission, where RBAC cannot, on the real API server.

use anyhow::{Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::overlay::{Overlay, refused};
use crate::support::{
    GAUGE, PolicyYaml, SOON, await_flags, await_ready, await_reason, await_replicas, ready_message,
    replicas, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    [
        trial(
            "rights_config_maps_of_others_are_safe_from_the_operator",
            config_maps_of_others,
        ),
        trial(
            "rights_scaling_can_wait_for_the_namespace_to_allow_it",
            scaling_is_opt_in,
        ),
    ]
    .map(needs_own_cluster)
    .into()
}

const OURS: &str = "app.kubernetes.io/managed-by";

/// All rights on `ConfigMaps`, so that only admission stands in the way.
const ANY_CONFIG_MAP: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: any-config-map}
rules: [{apiGroups: [''], resources: [configmaps], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: any-config-map}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: any-config-map}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: 'WHO'}]
";

fn config_map(name: &str, manager: Option<&str>) -> Result<ConfigMap> {
    let labels = manager.map_or(json!({}), |manager| json!({OURS: manager}));
    Ok(serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels}, "data": {"a": "b"},
    }))?)
}

async fn config_maps_of_others(ctx: Ctx) -> Result<()> {
    let install = Overlay::install(&ctx, "base", &[], json!({})).await?;
    let who = install.user_name();
    ctx.apply(&ANY_CONFIG_MAP.replace("WHO", &who)).await?;
    let mine = Api::<ConfigMap>::namespaced(install.login(&ctx).await?.client, ctx.namespace());
    let anybodys = ctx.api::<ConfigMap>();
    let post = PostParams::default();
    anybodys.create(&post, &config_map("other", None)?).await?;
    let apply = PatchParams::apply("brownout").force();
    let merge = PatchParams::default();
    let label = |value: Value| Patch::Merge(json!({"metadata": {"labels": {OURS: value}}}));

    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    await_condition("the admission policy to be in force", SOON, || async {
        let tried = mine.create(&dry, &config_map("new", None)?).await;
        refused("create", tried, "may only CREATE ConfigMaps labelled").map(Some)
    })
    .await?;

    // its own it may
    let own = mine
        .create(&post, &config_map("own", Some("brownout"))?)
        .await?;
    let more = Patch::Merge(json!({"data": {"c": "d"}}));
    mine.patch("own", &merge, &more).await?;
    mine.delete("own", &DeleteParams::default()).await?;
    mine.create(&post, &config_map("own", Some("brownout"))?)
        .await?;

    let denied = "denied request: the operator may only";
    let adopted = Patch::Apply(config_map("other", Some("brownout"))?);
    refused(
        "adopt by apply",
        mine.patch("other", &apply, &adopted).await,
        denied,
    )?;
    refused(
        "adopt by patch",
        mine.patch("other", &merge, &label("brownout".into())).await,
        denied,
    )?;
    refused("change", mine.patch("other", &merge, &more).await, denied)?;
    refused(
        "delete",
        mine.delete("other", &DeleteParams::default()).await,
        denied,
    )?;
    refused(
        "drop",
        mine.patch("own", &merge, &label(Value::Null)).await,
        denied,
    )?;
    refused(
        "pass on",
        mine.patch("own", &merge, &label("helm".into())).await,
        denied,
    )?;
    let mut put = mine.get("own").await?;
    put.labels_mut().clear();
    refused(
        "drop by PUT",
        mine.replace("own", &post, &put).await,
        denied,
    )?;
    let created = Patch::Apply(config_map("new", Some("kubectl"))?);
    refused(
        "create by apply",
        mine.patch("new", &apply, &created).await,
        denied,
    )?;
    let (all, gone) = (ListParams::default(), DeleteParams::default());
    refused(
        "delete all",
        mine.delete_collection(&gone, &all).await,
        denied,
    )?;

    policies_are_not_its_to_edit(&ctx, &install).await?;
    ensure!(
        own.uid() != mine.get("own").await?.uid(),
        "it was made anew"
    );
    anybodys.patch("other", &merge, &more).await?;
    anybodys.patch("own", &merge, &label(Value::Null)).await?;
    Ok(())
}

/// It may patch policies, for their finalizers.
async fn policies_are_not_its_to_edit(ctx: &Ctx, install: &Overlay) -> Result<()> {
    let client = install.login(ctx).await?.client;
    let mine = Api::<BotDegradationPolicy>::namespaced(client, ctx.namespace());
    ctx.apply(&PolicyYaml::with_ladder(ctx, "bot").to_string())
        .await?;
    let merge = PatchParams::default();
    let why = "may change nothing of a policy but its finalizers";
    // an admission policy of its own: that another one is in force already says nothing of it
    await_condition("the policies' admission to be in force", SOON, || async {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let paused = Patch::Merge(json!({"spec": {"mode": "Paused"}}));
        refused("dry run", mine.patch("bot", &dry, &paused).await, why).map(Some)
    })
    .await?;
    let its_own = json!({"metadata": {"finalizers": ["brownout.dev/restore"]}});
    mine.patch("bot", &merge, &Patch::Merge(its_own)).await?;
    for patch in [
        json!({"spec": {"interval": "1m"}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"annotations": {"brownout.dev/pin": "Normal"}}}),
        json!({"metadata": {"finalizers": null}, "spec": {"mode": "Paused"}}),
    ] {
        let tried = mine.patch("bot", &merge, &Patch::Merge(&patch)).await;
        refused(&patch.to_string(), tried, why)?;
    }
    let none = json!({"metadata": {"finalizers": null}});
    mine.patch("bot", &merge, &Patch::Merge(none)).await?;
    Ok(())
}

async fn scaling_is_opt_in(ctx: Ctx) -> Result<()> {
    let system = ctx.cluster().namespace("rights-system").await?;
    let more = json!({"namespace": system});
    let install = Overlay::install(&ctx, "base", &["scale-opt-in"], more).await?;
    ensure!(
        install.namespace == system,
        "the operator is where it was put"
    );
    ctx.apply(&workload("Deployment", "worker", 2)).await?;
    let mine = Api::<Deployment>::namespaced(install.login(&ctx).await?.client, ctx.namespace());
    await_condition("the admission policy to be in force", SOON, || async {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let one = Patch::Merge(json!({"spec": {"replicas": 1}}));
        let tried = mine.patch_scale("worker", &dry, &one).await;
        refused("scale", tried, "label it brownout.dev/scale=allowed").map(Some)
    })
    .await?;

    // it is to be denied
    ctx.environment()
        .rights()
        .await?
        .pardon(&install.user_name());
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    let _operator = install.operator(&ctx, &[ctx.namespace()]).await?;
    let scales = "scale: [{name: worker, replicas: 1}]\n    tiers: {luxury: Disabled}";
    let policy = PolicyYaml::new(&ctx, "bot").rung("shed", "200", scales);
    ctx.apply(&policy.to_string()).await?;
    await_ready(&ctx, "bot").await?;
    depth.set(500.0);
    await_flags(&ctx, "bot-flags", 1).await?;
    let status = await_reason(&ctx, "bot", "Forbidden").await?;
    let message = ready_message(&status);
    ensure!(
        message.contains("label it brownout.dev/scale=allowed"),
        "{message}"
    );
    ensure!(replicas(&ctx, "worker").await? == 2, "it was scaled");

    let allowed = Patch::Merge(json!({"metadata": {"labels": {"brownout.dev/scale": "allowed"}}}));
    let namespaces = Api::<Namespace>::all(ctx.client());
    namespaces
        .patch(ctx.namespace(), &PatchParams::default(), &allowed)
        .await?;
    await_replicas(&ctx, "worker", 1).await?;
    await_ready(&ctx, "bot").await?;
    depth.set(0.0);
    await_replicas(&ctx, "worker", 2).await
}
