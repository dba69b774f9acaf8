//! The namespaced install: the operator works where it is bound, completely, and nowhere else.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, needs_own_cluster, trial_within};
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::overlay::{Overlay, refused};
use crate::support::{
    GAUGE, PolicyYaml, SOON, await_level, await_policy_gone, await_ready, await_replicas,
    delete_policy, workload,
};

/// Handing back what cannot be handed back is tried for two minutes, twice here.
const DEADLINE: Duration = Duration::from_secs(420);
/// One such wait.
const LET_GO: Duration = Duration::from_secs(180);

pub(crate) fn tests() -> Vec<Trial> {
    vec![needs_own_cluster(trial_within(
        DEADLINE,
        "rights_of_the_namespaced_install_end_at_its_namespaces",
        namespaced,
    ))]
}

const POLICY: &str = "scale: [{name: worker, replicas: 1}, {kind: StatefulSet, name: store, replicas: 4}]\n    \
                      tiers: {luxury: Disabled}";

async fn namespaced(ctx: Ctx) -> Result<()> {
    let (home, second) = (
        ctx.namespace(),
        ctx.cluster().namespace("rights-second").await?,
    );
    let foreign = ctx.cluster().namespace("rights-foreign").await?;
    let install = install(&ctx, &second).await?;
    // it reaches for what it has no right to on purpose
    ctx.environment()
        .rights()
        .await?
        .pardon(&install.user_name());
    for namespace in [home, &second] {
        await_granted(&ctx, &install, namespace).await?;
    }
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    let mark = ctx.cluster().audit()?.mark()?;
    // told to look after a namespace that it may not read, it looks after the others
    let operator = install.operator(&ctx, &[home, &second, &foreign]).await?;

    let policy = PolicyYaml::new(&ctx, "bot")
        .rung("shed", "200", POLICY)
        .to_string();
    for namespace in [home, &second, &foreign] {
        let worker = workload("Deployment", "worker", 2);
        let store = workload("StatefulSet", "store", 2);
        let all = [worker, store, policy.clone()].join("---\n");
        ctx.cluster().apply(&all, namespace).await?;
    }
    await_ready(&ctx, "bot").await?;
    depth.set(500.0);
    await_level(&ctx, "bot", 1).await?;
    await_replicas(&ctx, "worker", 1).await?;
    depth.set(0.0);
    await_level(&ctx, "bot", 0).await?;
    await_replicas(&ctx, "worker", 2).await?;
    depth.set(500.0);
    await_level(&ctx, "bot", 1).await?;
    delete_policy(&ctx, "bot").await?;
    await_policy_gone(&ctx, "bot").await?;
    await_replicas(&ctx, "worker", 2).await?;
    refused_nothing_at(&ctx, home, &install, mark)?;

    kept_from(&ctx, &install, &foreign).await?;

    // a namespace that goes while the operator runs, and one that goes while it does not
    ctx.apply(&policy).await?;
    await_level(&ctx, "bot", 1).await?;
    delete_namespace(&ctx, &second).await?;
    await_gone(&ctx, &second).await?;
    operator.kill()?;
    delete_namespace(&ctx, home).await?;
    let (policies, maps) = (ctx.api::<BotDegradationPolicy>(), ctx.api::<ConfigMap>());
    await_condition("the policy alone to be left", SOON, || async {
        let held = policies.get("bot").await?.metadata.deletion_timestamp;
        let gone = maps.get_opt("bot-flags").await?.is_none();
        Ok((held.is_some() && gone).then_some(()))
    })
    .await?;
    operator.start_again().await?;
    await_gone(&ctx, home).await
}

/// Bound here and in a second namespace.
async fn install(ctx: &Ctx, second: &str) -> Result<Overlay> {
    let elsewhere = |namespace: &str| {
        json!([{"op": "replace", "path": "/metadata/namespace", "value": namespace}]).to_string()
    };
    let more = json!({"patches": [
        {"target": {"kind": "RoleBinding", "name": "^brownout$"}, "patch": elsewhere(ctx.namespace())},
    ]});
    let install = Overlay::install(ctx, "namespaced", &[], more).await?;
    let bindings = install
        .objects
        .iter()
        .filter(|it| it["kind"] == "ClusterRoleBinding");
    ensure!(
        bindings.count() == 1,
        "only what must be is bound cluster-wide"
    );
    // as docs/operations.md says it
    ctx.cluster()
        .apply(
            &format!(
                "{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: brownout}}, \
                 roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {account}}}, \
                 subjects: [{{kind: ServiceAccount, name: {account}, namespace: {namespace}}}]}}",
                account = install.account(),
                namespace = install.namespace
            ),
            second,
        )
        .await?;
    Ok(install)
}

/// Bindings reach the authorizer a moment after they are stored.
async fn await_granted(ctx: &Ctx, install: &Overlay, namespace: &str) -> Result<()> {
    let client = install.login(ctx).await?.client;
    let policies = Api::<BotDegradationPolicy>::namespaced(client, namespace);
    await_condition(&format!("its rights in {namespace}"), SOON, || async {
        policies.list(&ListParams::default()).await?;
        Ok(Some(()))
    })
    .await
}

/// Everything it asked for in a namespace that it is bound in, it was given.
fn refused_nothing_at(
    ctx: &Ctx,
    namespace: &str,
    install: &Overlay,
    mark: e2e::audit::Mark,
) -> Result<()> {
    let mut asked = ctx.cluster().audit()?.since(mark)?;
    asked.retain(|event| {
        let there = event
            .object_ref
            .as_ref()
            .is_some_and(|it| it.namespace == namespace);
        there && event.user.username == install.user_name()
    });
    ensure!(!asked.is_empty(), "the audit log knows the operator");
    let refused: Vec<_> = asked
        .iter()
        .filter(|event| event.is_unauthorized())
        .collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    Ok(())
}

/// Where it is not bound it can do nothing, and what it was told to look after there stays untouched.
async fn kept_from(ctx: &Ctx, install: &Overlay, foreign: &str) -> Result<()> {
    let client = install.login(ctx).await?.client;
    let maps = Api::<ConfigMap>::namespaced(client.clone(), foreign);
    let workers = Api::<Deployment>::namespaced(client.clone(), foreign);
    let policies = Api::<BotDegradationPolicy>::namespaced(client, foreign);
    let (all, merge) = (ListParams::default(), PatchParams::default());
    let map: ConfigMap = serde_json::from_value(json!({
        "metadata": {"name": "flags", "labels": {"app.kubernetes.io/managed-by": "brownout"}},
    }))?;
    refused(
        "a ConfigMap",
        maps.create(&PostParams::default(), &map).await,
        "cannot create",
    )?;
    refused("ConfigMaps", maps.list(&all).await, "cannot list")?;
    refused("workloads", workers.list(&all).await, "cannot list")?;
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    refused(
        "replicas",
        workers.patch_scale("worker", &merge, &none).await,
        "cannot patch",
    )?;
    let seen = policies.get("bot").await?;
    ensure!(
        seen.status.is_none(),
        "a policy that is not ours has a status"
    );
    ensure!(seen.metadata.finalizers.is_none(), "and a finalizer");
    Ok(())
}

async fn delete_namespace(ctx: &Ctx, name: &str) -> Result<()> {
    let namespaces = Api::<Namespace>::all(ctx.client());
    namespaces.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

async fn await_gone(ctx: &Ctx, name: &str) -> Result<()> {
    let namespaces = Api::<Namespace>::all(ctx.client());
    await_condition(
        &format!("the namespace {name} to be gone"),
        LET_GO,
        || async {
            match namespaces.get_opt(name).await? {
                None => Ok(Some(())),
                Some(left) => bail!("{:?}", left.status.and_then(|status| status.conditions)),
            }
        },
    )
    .await
}
