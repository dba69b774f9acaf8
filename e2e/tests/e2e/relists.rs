//! A watch breaks and begins anew with a list: what went meanwhile is acted on, and where nothing did there
//! is nothing to do.

use std::time::Duration;

use anyhow::{Result, ensure};
use brownout::api::conditions::TARGET_NOT_FOUND;
use e2e::audit::Mark;
use e2e::fault_proxy::{Fault, FaultProxy, Rule, WatchFault};
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::wait::await_condition;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::autoscalers_support::hpa;
use crate::support::{
    GAUGE, PolicyYaml, SOON, await_flags, await_level, await_ready, await_reason, await_replicas,
    await_set_replicas, await_status, ready_message, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("relists_tell_of_what_is_gone", tell_of_what_is_gone),
        trial("relists_of_the_same_lead_to_nothing", of_the_same),
    ]
}

/// How often a watch is begun anew at least, and what a busy machine needs beyond that.
const LISTED_WITHIN: Duration = Duration::from_secs(40);

/// Nothing is asked for so long once what led here is over.
const QUIET: Duration = Duration::from_secs(3);

/// A policy at level 1 that scales a Deployment with an autoscaler and a `StatefulSet`, its operator behind a
/// proxy.
struct Scene {
    ctx: Ctx,
    proxy: FaultProxy,
    _operator: Operator,
    _bot: e2e::exporter::Exporter,
}

impl Scene {
    async fn set(ctx: Ctx) -> Result<Self> {
        let bot = ctx.exporter().await?;
        bot.gauge(GAUGE, &[]).set(300.0);
        let proxy = FaultProxy::start(ctx.cluster(), &ctx.operator_user()).await?;
        let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
        options.kubeconfig = proxy.kubeconfig();
        let operator = Operator::start(ctx.environment().run.clone(), &options).await?;
        ctx.apply(&workload("Deployment", "worker", 4)).await?;
        ctx.apply(&workload("StatefulSet", "shards", 4)).await?;
        ctx.apply(&hpa("worker", "Deployment", "worker", Some(2), 8))
            .await?;
        let policy = PolicyYaml::new(&ctx, "bot").rung(
            "shed",
            "200",
            "scale: [{name: worker, replicas: 1}, {kind: StatefulSet, name: shards, replicas: 1}]",
        );
        ctx.apply(&policy.to_string()).await?;
        await_level(&ctx, "bot", 1).await?;
        await_replicas(&ctx, "worker", 1).await?;
        await_set_replicas(&ctx, "shards", 1).await?;
        await_ready(&ctx, "bot").await?;
        Ok(Self {
            ctx,
            proxy,
            _operator: operator,
            _bot: bot,
        })
    }

    fn lists(&self, resource: &str) -> usize {
        let (seen, key) = (self.proxy.script().seen(), format!("list {resource}"));
        seen.iter().filter(|seen| seen.asked.key() == key).count()
    }

    /// Something is done while the watch of a kind is broken: its frame is lost, and the next thing that the
    /// operator gets is a list.
    async fn amid_outage(
        &self,
        resource: &str,
        change: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        let (script, key) = (self.proxy.script(), format!("watch {resource}"));
        let before = self.lists(resource);
        let gone = Fault::Answer {
            status: 410,
            retry_after: None,
        };
        script.set(vec![
            Rule::on(&key, Fault::Watch(WatchFault::Eof)).first(1),
            Rule::on(&key, gone),
        ]);
        change().await?;
        await_condition(&format!("a list of {resource}"), LISTED_WITHIN, || async {
            Ok((self.lists(resource) > before).then_some(()))
        })
        .await?;
        script.clear();
        Ok(())
    }

    async fn delete<K>(&self, resource: &str, name: &str) -> Result<()>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        self.amid_outage(resource, async || {
            let api = self.ctx.api::<K>();
            api.delete(name, &DeleteParams::background()).await?;
            Ok(())
        })
        .await
    }
}

async fn tell_of_what_is_gone(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    scene
        .delete::<HorizontalPodAutoscaler>("horizontalpodautoscalers", "worker")
        .await?;
    await_status(ctx, "bot", "no autoscaler recorded", |status| {
        status.baseline.len() == 2 && status.baseline.iter().all(|b| b.autoscaler.is_none())
    })
    .await?;

    scene.delete::<ConfigMap>("configmaps", "bot-flags").await?;
    await_condition("the flags to be there again", SOON, || async {
        let map = ctx.api::<ConfigMap>().get_opt("bot-flags").await?;
        Ok(map.map(drop))
    })
    .await?;
    await_flags(ctx, "bot-flags", 1).await?;
    await_ready(ctx, "bot").await?;

    // While it is not Ready it is looked at again anyway: each comes back before the next one goes.
    scene
        .delete::<StatefulSet>("statefulsets", "shards")
        .await?;
    let status = await_reason(ctx, "bot", TARGET_NOT_FOUND).await?;
    let message = ready_message(&status);
    ensure!(message.contains("no StatefulSet shards"), "{message}");
    ctx.apply(&workload("StatefulSet", "shards", 4)).await?;
    await_ready(ctx, "bot").await?;

    scene.delete::<Deployment>("deployments", "worker").await?;
    let status = await_reason(ctx, "bot", TARGET_NOT_FOUND).await?;
    let message = ready_message(&status);
    ensure!(message.contains("no Deployment worker"), "{message}");
    Ok(())
}

/// Each watch begins anew in turn: no policy is looked at for it, let alone written.
async fn of_the_same(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    let audit = ctx.cluster().audit()?;
    // a frame that concerns nobody breaks the watch
    let touch = json!({"metadata": {"annotations": {"brownout-e2e/touch": "yes"}}});
    let (params, touch) = (PatchParams::default(), Patch::Merge(touch));
    await_condition("the last of the escalation", SOON, || async {
        let mark = audit.mark()?;
        tokio::time::sleep(QUIET).await;
        Ok(looks(ctx, mark)?.is_empty().then_some(()))
    })
    .await?;
    let mark = audit.mark()?;
    scene
        .amid_outage("deployments", async || {
            let api = ctx.api::<Deployment>();
            api.patch("worker", &params, &touch).await?;
            Ok(())
        })
        .await?;
    scene
        .amid_outage("statefulsets", async || {
            let api = ctx.api::<StatefulSet>();
            api.patch("shards", &params, &touch).await?;
            Ok(())
        })
        .await?;
    scene
        .amid_outage("horizontalpodautoscalers", async || {
            let api = ctx.api::<HorizontalPodAutoscaler>();
            api.patch("worker", &params, &touch).await?;
            Ok(())
        })
        .await?;
    // of ConfigMaps each version concerns its policy: another one's comes and goes
    let other = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "other", "labels": {"app.kubernetes.io/managed-by": "brownout"}},
    });
    scene
        .amid_outage("configmaps", async || {
            ctx.apply(&other.to_string()).await.map(drop)
        })
        .await?;
    // Whatever a list led to has happened by then: its effect is the last in line.
    ctx.apply(&workload("Deployment", "last", 1)).await?;
    scene.delete::<Deployment>("deployments", "last").await?;
    let about = looks(ctx, mark)?;
    ensure!(about.is_empty(), "it was looked at: {about:?}");
    Ok(())
}

/// What the operator has read by name or written, as it does when it looks at a policy.
fn looks(ctx: &Ctx, mark: Mark) -> Result<Vec<String>> {
    let (asked, user) = (ctx.cluster().audit()?.since(mark)?, ctx.operator_user());
    let looks = asked
        .iter()
        .filter(|event| event.user.username == user)
        .filter(|event| event.is_write() || event.verb == "get");
    Ok(looks.map(ToString::to_string).collect())
}
