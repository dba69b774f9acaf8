//! Pinning without editing: what a person with the role for it can do, and every way around it that we know.

use anyhow::{Context as _, Result, ensure};
use axum::http;
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::wait::await_condition;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::overlay::{Overlay, refused};
use crate::support::{
    GAUGE, PolicyYaml, SOON, await_level, await_policy_gone, await_ready, delete_policy,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![needs_own_cluster(trial(
        "rights_to_pin_are_no_rights_to_edit",
        pin_is_no_edit,
    ))]
}

/// A pinner here, who may edit elsewhere; an editor here; and somebody who may both.
const PEOPLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pinner}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'PREFIXbrownout-pin'}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'pinner:NAMESPACE'}
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'lead:NAMESPACE'}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'editor:NAMESPACE'}
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'lead:NAMESPACE'}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: 'pinner:NAMESPACE'}]
";

/// Merge patches that a pinner must not get through, and what the refusal says.
fn attempts() -> Vec<(Value, &'static str)> {
    let (spec, labels) = (
        "cannot change the spec",
        "cannot change labels, finalizers or owners",
    );
    let (annotations, owners) = (
        "can set no other annotations",
        "cannot change who owns the fields",
    );
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "bot-flags", "uid": "1"});
    vec![
        (json!({"spec": {"interval": "1m"}}), spec),
        (json!({"spec": {"mode": "DryRun"}}), spec),
        (json!({"spec": {"maxLevel": "shed-luxury"}}), spec),
        (json!({"spec": {"recovery": null}}), spec),
        // along with what is allowed
        (
            json!({"metadata": {"annotations": {"brownout.dev/pin": "Normal"}}, "spec": {"interval": "1m"}}),
            spec,
        ),
        (json!({"metadata": {"labels": {"shard": "b"}}}), labels),
        (json!({"metadata": {"labels": null}}), labels),
        (json!({"metadata": {"finalizers": null}}), labels),
        (
            json!({"metadata": {"finalizers": ["brownout.dev/restore", "example.com/mine"]}}),
            labels,
        ),
        (json!({"metadata": {"ownerReferences": [owner]}}), labels),
        (json!({"metadata": {"generateName": "bot-"}}), labels),
        (
            json!({"metadata": {"annotations": {"example.com/note": "changed"}}}),
            annotations,
        ),
        (
            json!({"metadata": {"annotations": {"example.com/more": ""}}}),
            annotations,
        ),
        (
            json!({"metadata": {"annotations": {"brownout.dev/pinned": "x"}}}),
            annotations,
        ),
        (json!({"metadata": {"annotations": null}}), annotations),
        (json!({"metadata": {"managedFields": [{}]}}), owners),
    ]
}

async fn pin_is_no_edit(ctx: Ctx) -> Result<()> {
    let install = Overlay::install(&ctx, "base", &["pin"], json!({})).await?;
    let people = PEOPLE.replace("PREFIX", &install.prefix);
    ctx.apply(&people.replace("NAMESPACE", ctx.namespace()))
        .await?;
    let login = async |name: &str| -> Result<Api<BotDegradationPolicy>> {
        let user = ctx
            .cluster()
            .user(&format!("{name}:{}", ctx.namespace()), None)
            .await?;
        Ok(Api::namespaced(user.client, ctx.namespace()))
    };
    let (pinner, editor, lead) = (
        login("pinner").await?,
        login("editor").await?,
        login("lead").await?,
    );
    let merge = PatchParams::default();

    let labelled = PolicyYaml::with_ladder(&ctx, "bot").to_string().replace(
        "{name: bot}",
        "{name: bot, labels: {shard: a}, annotations: {example.com/note: kept}}",
    );
    ctx.apply(&labelled).await?;
    await_condition("the admission policy to be in force", SOON, || async {
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        let edit = Patch::Merge(json!({"spec": {"interval": "1m"}}));
        let tried = pinner.patch("bot", &dry, &edit).await;
        refused("an edit", tried, "denied request: who may only pin").map(Some)
    })
    .await?;
    // the operator puts its finalizer on, and later takes it off
    let bot = ctx.exporter().await?;
    bot.gauge(GAUGE, &[]).set(0.0);
    let _operator = install.operator(&ctx, &[ctx.namespace()]).await?;
    await_ready(&ctx, "bot").await?;

    for (patch, why) in attempts() {
        let tried = pinner.patch("bot", &merge, &Patch::Merge(&patch)).await;
        refused(&patch.to_string(), tried, why)?;
    }
    other_ways(&ctx, &pinner).await?;

    let until = json!({"metadata": {"annotations": {
        "brownout.dev/pin": "lighten", "brownout.dev/pin-until": "2099-01-01T00:00:00Z",
    }}});
    pinner.patch("bot", &merge, &Patch::Merge(&until)).await?;
    await_level(&ctx, "bot", 2).await?;
    let reason = json!({
        "apiVersion": "brownout.dev/v1alpha1", "kind": "BotDegradationPolicy",
        "metadata": {"name": "bot", "annotations": {"brownout.dev/pin": "shed-luxury", "brownout.dev/pin-reason": "calm"}},
    });
    let taken = PatchParams::apply("pinner").force();
    pinner.patch("bot", &taken, &Patch::Apply(&reason)).await?;
    await_level(&ctx, "bot", 1).await?;
    let unpinned = json!({"metadata": {"annotations": {
        "brownout.dev/pin": null, "brownout.dev/pin-until": null, "brownout.dev/pin-reason": null,
    }}});
    pinner
        .patch("bot", &merge, &Patch::Merge(&unpinned))
        .await?;
    await_level(&ctx, "bot", 0).await?;

    for (who, policies) in [("editor", editor), ("lead", lead)] {
        let edit =
            json!({"metadata": {"labels": {"shard": who}}, "spec": {"recovery": {"after": "3s"}}});
        let edited = policies.patch("bot", &merge, &Patch::Merge(&edit)).await;
        edited.with_context(|| format!("{who} may edit"))?;
    }
    delete_policy(&ctx, "bot").await?;
    await_policy_gone(&ctx, "bot").await
}

/// What is no merge patch of the policy itself.
async fn other_ways(ctx: &Ctx, pinner: &Api<BotDegradationPolicy>) -> Result<()> {
    let before = ctx.api::<BotDegradationPolicy>().get("bot").await?;
    let (merge, gone) = (PatchParams::default(), DeleteParams::default());
    let force = PatchParams::apply("pinner").force();
    let whole = |name: &str| -> Result<Value> {
        let yaml =
            PolicyYaml::new(ctx, name).rung("shed-luxury", "900", "tiers: {luxury: Disabled}");
        Ok(serde_saphyr::from_str(&yaml.to_string())?)
    };
    let all = Patch::Apply(whole("bot")?);
    let apply = pinner.patch("bot", &force, &all);
    refused("the whole by apply", apply.await, "who may only pin")?;
    let all = Patch::Apply(whole("new")?);
    let apply = pinner.patch("new", &force, &all);
    refused("another by apply", apply.await, "cannot create")?;
    let steps = json!([
        {"op": "add", "path": "/metadata/annotations/brownout.dev~1pin", "value": "Normal"},
        {"op": "replace", "path": "/spec/interval", "value": "1m"},
    ]);
    let request = http::Request::patch(format!("{}/bot", pinner.resource_url()))
        .header("content-type", "application/json-patch+json")
        .body(steps.to_string().into_bytes())?;
    let tried = pinner.clone().into_client().request::<Value>(request).await;
    refused("a JSON patch", tried, "cannot change the spec")?;
    let status = Patch::Merge(json!({"status": {"level": 3, "levelName": "critical-only"}}));
    refused(
        "status",
        pinner.patch_status("bot", &merge, &status).await,
        "cannot",
    )?;
    let mut edited = pinner.get("bot").await?;
    edited.spec.max_level = Some("shed-luxury".to_owned());
    refused(
        "PUT",
        pinner.replace("bot", &PostParams::default(), &edited).await,
        "cannot update",
    )?;
    refused(
        "POST",
        pinner.create(&PostParams::default(), &edited).await,
        "cannot create",
    )?;
    refused("delete", pinner.delete("bot", &gone).await, "cannot delete")?;
    let all = ListParams::default();
    let sweep = pinner.delete_collection(&gone, &all);
    refused("delete all", sweep.await, "cannot deletecollection")?;
    // status in a patch of the policy itself is nobody's to write: it is dropped without a word
    pinner.patch("bot", &merge, &status).await?;
    let after = ctx.api::<BotDegradationPolicy>().get("bot").await?;
    ensure!(
        after.metadata.generation == before.metadata.generation,
        "the spec was changed"
    );
    ensure!(
        after.status.map(|status| status.level) == before.status.map(|status| status.level),
        "the status was changed"
    );
    Ok(())
}
