//! What people may do with policies and sources, by the roles that every cluster has.

use anyhow::Result;
use brownout::api::{BotDegradationPolicy, MetricsSource};
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::users::User;
use e2e::wait::await_condition;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::overlay::{Overlay, refused};
use crate::support::{PolicyYaml, SOON};

pub(crate) fn tests() -> Vec<Trial> {
    vec![needs_own_cluster(trial(
        "rights_of_people_follow_view_and_edit",
        people,
    ))]
}

/// Given to a viewer and an editor in the namespace, and to an auditor of the whole cluster.
const PEOPLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: 'viewer:NAMESPACE'}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: 'editor:NAMESPACE'}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: 'auditor-NAMESPACE'}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: 'auditor:NAMESPACE'}]
";

async fn people(ctx: Ctx) -> Result<()> {
    Overlay::install(&ctx, "base", &[], json!({})).await?;
    ctx.apply(&PEOPLE.replace("NAMESPACE", ctx.namespace()))
        .await?;
    let login = async |name: &str| -> Result<User> {
        let name = format!("{name}:{}", ctx.namespace());
        ctx.cluster().user(&name, None).await
    };
    editor(&ctx, &login("editor").await?).await?;
    viewer(&ctx, &login("viewer").await?).await?;
    auditor(&login("auditor").await?).await?;

    let edits = policies(&ctx, &login("editor").await?);
    edits.delete("bot", &DeleteParams::default()).await?;
    let (gone, all) = (DeleteParams::default(), ListParams::default());
    edits.delete_collection(&gone, &all).await?;
    Ok(())
}

fn policies(ctx: &Ctx, user: &User) -> Api<BotDegradationPolicy> {
    Api::namespaced(user.client.clone(), ctx.namespace())
}

fn sources(user: &User) -> Api<MetricsSource> {
    Api::all(user.client.clone())
}

fn policy(ctx: &Ctx) -> Result<BotDegradationPolicy> {
    let yaml = PolicyYaml::with_ladder(ctx, "bot").to_string();
    Ok(serde_saphyr::from_str(&yaml)?)
}

fn source() -> Result<MetricsSource> {
    Ok(serde_saphyr::from_str(
        "{apiVersion: brownout.dev/v1alpha1, kind: MetricsSource, metadata: {name: mine}, \
         spec: {prometheus: {url: 'http://localhost'}}}",
    )?)
}

fn label() -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}))
}

fn status() -> Patch<Value> {
    Patch::Merge(json!({"status": {"level": 1}}))
}

async fn editor(ctx: &Ctx, user: &User) -> Result<()> {
    let edits = policies(ctx, user);
    let (policy, source) = (policy(ctx)?, source()?);
    let (post, patch, all) = (
        PostParams::default(),
        PatchParams::default(),
        ListParams::default(),
    );
    await_condition("the editor's rights", SOON, || async {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        edits.create(&dry, &policy).await?;
        edits.list(&all).await?; // by another of the roles that are added to edit
        Ok(Some(()))
    })
    .await?;
    edits.create(&post, &policy).await?;
    edits.patch("bot", &patch, &label()).await?;
    let as_it_is = edits.get("bot").await?;
    edits.replace("bot", &post, &as_it_is).await?;
    let tried = edits.patch_status("bot", &patch, &status()).await;
    refused("an editor's status", tried, "cannot")?;
    let sources = sources(user);
    refused(
        "an editor's source",
        sources.create(&post, &source).await,
        "cannot create",
    )?;
    refused(
        "an editor's look at sources",
        sources.list(&all).await,
        "cannot list",
    )
}

async fn viewer(ctx: &Ctx, user: &User) -> Result<()> {
    let views = policies(ctx, user);
    let (post, patch, all) = (
        PostParams::default(),
        PatchParams::default(),
        ListParams::default(),
    );
    let gone = DeleteParams::default();
    await_condition("the viewer's rights", SOON, || async {
        Ok((views.list(&all).await?.items.len() == 1).then_some(()))
    })
    .await?;
    views.get("bot").await?;
    refused(
        "create",
        views.create(&post, &policy(ctx)?).await,
        "cannot create",
    )?;
    refused(
        "patch",
        views.patch("bot", &patch, &label()).await,
        "cannot patch",
    )?;
    refused("delete", views.delete("bot", &gone).await, "cannot delete")?;
    refused(
        "status",
        views.patch_status("bot", &patch, &status()).await,
        "cannot",
    )?;
    refused(
        "sweep",
        views.delete_collection(&gone, &all).await,
        "cannot deletecollection",
    )?;
    refused("sources", sources(user).list(&all).await, "cannot list")
}

async fn auditor(user: &User) -> Result<()> {
    let (sources, all) = (sources(user), ListParams::default());
    await_condition("the auditor's rights", SOON, || async {
        sources.list(&all).await?;
        Ok(Some(()))
    })
    .await?;
    let tried = sources.create(&PostParams::default(), &source()?).await;
    refused("an auditor's source", tried, "cannot create")
}
