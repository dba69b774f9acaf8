//! KEDA resets the bounds of the autoscalers that it makes, so it is paused instead.
//!
//! The definition of its `ScaledObject` is KEDA's own; its operator is not run. [`StandIn`] does what
//! KEDA's controller does about the annotation that pauses.

use std::time::Duration;

use anyhow::{Context as _, Result};
use brownout::api::{AutoscalerBaseline, ScaledObjectBaseline};
use e2e::harness::{Ctx, trial};
use e2e::tools::definitions;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::AbortHandle;

use crate::autoscalers_support::{await_bounds, delete_hpa, hpa, reconcile_once};
use crate::support::{
    PolicyYaml, SOON, Scene, await_level, await_policy_gone, await_ready, await_replicas,
    await_status, delete_policy, scale_as, workload,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial("keda_is_paused_instead_of_fought", paused)]
}

pub(crate) const PAUSED: &str = "autoscaling.keda.sh/paused-replicas";
/// As KEDA names the autoscaler of a `ScaledObject` named `worker`.
pub(crate) const HPA: &str = "keda-hpa-worker";

const SCALED_OBJECT: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: worker}
spec:
  scaleTargetRef: {name: worker}
  minReplicaCount: 2
  maxReplicaCount: 8
  triggers: [{type: cpu, metricType: Utilization, metadata: {value: '50'}}]
";

async fn paused(ctx: Ctx) -> Result<()> {
    let scene = &Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    let policy = PolicyYaml::new(ctx, "bot")
        .rung("shed", "200", "scale: [{name: worker, replicas: 1}]")
        .rung("stop", "400", "scale: [{name: worker, replicas: 0}]");
    ctx.apply(&workload("Deployment", "worker", 4)).await?;
    ctx.apply(&policy.to_string()).await?;
    await_ready(ctx, "bot").await?;
    if ctx.cluster().audit().is_ok() {
        without_keda(scene).await?;
    }

    let _keda = StandIn::install(ctx).await?;
    up_and_down(scene).await?;
    unpaused_by_a_person(scene).await
}

/// An autoscaler that claims to be KEDA's, and no KEDA: it is one like any other.
async fn without_keda(scene: &Scene) -> Result<()> {
    let Scene { ctx, depth, .. } = scene;
    let orphan = hpa("orphan", "Deployment", "worker", Some(2), 8).replace(
        "{name: orphan}",
        "{name: orphan, ownerReferences: [{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: worker, uid: gone}]}",
    );
    ctx.apply(&orphan).await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_bounds(ctx, "orphan", (1, 1)).await?;
    await_replicas(ctx, "worker", 1).await?;
    await_ready(ctx, "bot").await?;
    depth.set(0.0);
    await_level(ctx, "bot", 0).await?;
    await_bounds(ctx, "orphan", (2, 8)).await?;
    await_replicas(ctx, "worker", 4).await?;
    delete_hpa(ctx, "orphan").await
}

/// Through two levels and a crash, and back.
async fn up_and_down(scene: &Scene) -> Result<()> {
    let Scene { ctx, depth, .. } = scene;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_pause(ctx, Some("1")).await?;
    await_no_hpa(ctx).await?;
    await_replicas(ctx, "worker", 1).await?;
    let status = await_ready(ctx, "bot").await?;
    let kept = ScaledObjectBaseline {
        name: "worker".to_owned(),
        paused_replicas: None,
    };
    assert_eq!(status.baseline[0].scaled_object.as_ref(), Some(&kept));
    assert_eq!(status.baseline[0].autoscaler, None::<AutoscalerBaseline>);
    assert_eq!(status.baseline[0].replicas, 4);

    depth.set(500.0);
    await_level(ctx, "bot", 2).await?;
    await_pause(ctx, Some("0")).await?;
    await_replicas(ctx, "worker", 0).await?;
    scene.operator.kill()?;
    scene.operator.start_again().await?;
    let status = await_ready(ctx, "bot").await?;
    assert_eq!(status.baseline[0].scaled_object.as_ref(), Some(&kept));
    assert_eq!(status.baseline[0].replicas, 4, "KEDA is no person");
    reconcile_once(scene, "bot").await?;

    depth.set(0.0);
    let status = await_level(ctx, "bot", 0).await?;
    assert!(status.baseline.is_empty());
    await_pause(ctx, None).await?;
    await_replicas(ctx, "worker", 4).await?;
    await_bounds(ctx, HPA, (2, 8)).await
}

/// A person takes the pause off: KEDA makes its autoscaler anew, and is paused again. The end of the
/// policy takes it off for good.
async fn unpaused_by_a_person(scene: &Scene) -> Result<()> {
    let Scene { ctx, depth, .. } = scene;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    await_pause(ctx, Some("1")).await?;
    await_no_hpa(ctx).await?;
    await_replicas(ctx, "worker", 1).await?;
    await_ready(ctx, "bot").await?;
    let off = json!({"metadata": {"annotations": {PAUSED: null}}});
    scaled_objects(ctx)
        .patch("worker", &PatchParams::default(), &Patch::Merge(off))
        .await?;
    let status = await_status(ctx, "bot", "the set-back", |status| {
        !status.baseline[0].set_backs.is_empty()
    })
    .await?;
    assert_eq!(
        status.baseline[0].replicas, 4,
        "not what KEDA's autoscaler set"
    );
    await_pause(ctx, Some("1")).await?;
    await_replicas(ctx, "worker", 1).await?;

    delete_policy(ctx, "bot").await?;
    await_policy_gone(ctx, "bot").await?;
    await_pause(ctx, None).await?;
    await_bounds(ctx, HPA, (2, 8)).await?;
    await_replicas(ctx, "worker", 4).await
}

pub(crate) fn scaled_objects(ctx: &Ctx) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject");
    Api::namespaced_with(ctx.client(), ctx.namespace(), &ApiResource::from_gvk(&kind))
}

async fn await_pause(ctx: &Ctx, wanted: Option<&str>) -> Result<()> {
    let objects = scaled_objects(ctx);
    await_condition(&format!("the pause {wanted:?}"), SOON, || async {
        let object = objects.get("worker").await?;
        let paused = object.annotations().get(PAUSED).map(String::as_str);
        Ok((paused == wanted).then_some(()))
    })
    .await
}

async fn await_no_hpa(ctx: &Ctx) -> Result<()> {
    let hpas = ctx.api::<HorizontalPodAutoscaler>();
    await_condition("KEDA's autoscaler to be gone", SOON, || async {
        Ok(hpas.get_opt(HPA).await?.is_none().then_some(()))
    })
    .await
}

/// Stands in for KEDA's controller, for the one `ScaledObject` here: paused, its autoscaler goes and the
/// number is set; not paused, its autoscaler is there with the bounds that the object names.
pub(crate) struct StandIn(AbortHandle);

impl StandIn {
    /// With KEDA's definition and a `ScaledObject` for the Deployment `worker`, of which it has taken note.
    pub(crate) async fn install(ctx: &Ctx) -> Result<Self> {
        ctx.apply(&definitions::keda().await?).await?;
        ctx.cluster()
            .await_established("scaledobjects.keda.sh")
            .await?;
        ctx.apply(SCALED_OBJECT).await?;
        let keda = Self::start(ctx);
        await_bounds(ctx, HPA, (2, 8)).await?;
        Ok(keda)
    }

    fn start(ctx: &Ctx) -> Self {
        let ctx = ctx.clone();
        let task = tokio::spawn(async move {
            let mut rounds = tokio::time::interval(Duration::from_millis(200));
            loop {
                rounds.tick().await;
                // What fails is tried again with the next round, as controllers do.
                let _ = Self::round(&ctx).await;
            }
        });
        Self(task.abort_handle())
    }

    async fn round(ctx: &Ctx) -> Result<()> {
        let object = scaled_objects(ctx).get("worker").await?;
        let hpas = ctx.api::<HorizontalPodAutoscaler>();
        if let Some(paused) = object.annotations().get(PAUSED) {
            if hpas.get_opt(HPA).await?.is_some() {
                hpas.delete(HPA, &DeleteParams::default()).await?;
            }
            let paused: i32 = paused.parse()?;
            let worker = ctx.api::<Deployment>().get("worker").await?;
            if worker.spec.and_then(|spec| spec.replicas) != Some(paused) {
                scale_as(ctx, "keda", "worker", paused).await?;
            }
            return Ok(());
        }
        let uid = object.uid().context("no uid")?;
        let owner = format!(
            "{{name: {HPA}, ownerReferences: [{{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, \
             name: worker, uid: {uid}, controller: true, blockOwnerDeletion: true}}]}}"
        );
        let yaml = hpa(HPA, "Deployment", "worker", Some(2), 8);
        ctx.apply(&yaml.replace(&format!("{{name: {HPA}}}"), &owner))
            .await?;
        Ok(())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.0.abort();
    }
}
