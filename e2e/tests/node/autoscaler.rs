//! An autoscaler on CPU that really scales, under load that pods really make.

use std::time::Duration;

use anyhow::{Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, trial_within};
use e2e::image::BUSYBOX;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use libtest_mimic::Trial;

use crate::support::{await_available, pods_of};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial_within(
        Duration::from_secs(600),
        "autoscaler_goes_on_by_itself_after_an_incident",
        goes_on,
    )]
}

/// Metrics are first there half a minute after a pod.
const PATIENCE: Duration = Duration::from_secs(240);

/// Each pod asks for 20m and burns the 50m that it may: the autoscaler wants more of them at all times,
/// and takes one more every 15 s, to at most four.
const BUSY: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  replicas: 1
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: busy
        image: IMAGE
        imagePullPolicy: Never
        command: [sh, -c, 'while :; do :; done']
        resources: {requests: {cpu: 20m}, limits: {cpu: 50m}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  minReplicas: 1
  maxReplicas: 4
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
  behavior: {scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 1, periodSeconds: 15}]}}
";

const POLICY: &str = r#"
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job="JOB"})'}]
  levels:
  - name: shed
    when: {any: [{signal: backlog, above: "200"}]}
    scale: [{name: busy, replicas: 1}]
  recovery: {after: 2s}
"#;

async fn goes_on(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    let _operator = ctx.operator().await?;
    ctx.apply(&BUSY.replace("IMAGE", BUSYBOX)).await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    await_available(&ctx, "busy", 1).await?;
    // by itself, under load, and with room above
    await_replicas(&ctx, "more than one", |replicas| replicas > 1).await?;

    depth.set(300.0);
    let before = await_baseline(&ctx).await?;
    ensure!((2..=4).contains(&before), "scaled up to {before}");
    await_bounds(&ctx, (1, 1)).await?;
    await_replicas(&ctx, "one", |replicas| replicas == 1).await?;
    await_available(&ctx, "busy", 1).await?;
    await_condition("the other pods to be gone", PATIENCE, || async {
        Ok((pods_of(&ctx, "busy").await?.len() == 1).then_some(()))
    })
    .await?;
    // it follows its metrics still, and would scale up if it could
    await_limited(&ctx).await?;
    ensure!(replicas(&ctx).await? == 1, "it may not");

    depth.set(0.0);
    await_bounds(&ctx, (1, 4)).await?;
    await_replicas(&ctx, "what there was", |replicas| replicas >= before).await?;
    await_replicas(&ctx, "all that it may take", |replicas| replicas == 4).await?;
    if before < 4 {
        let by = owners(&ctx).await?;
        ensure!(
            by.iter()
                .any(|by| by.starts_with("kube-controller-manager")),
            "from {before} on the autoscaler has scaled, not {by:?}"
        );
    }
    await_available(&ctx, "busy", 4).await
}

async fn replicas(ctx: &Ctx) -> Result<i32> {
    let found = ctx.api::<Deployment>().get("busy").await?;
    Ok(found.spec.and_then(|spec| spec.replicas).unwrap_or(0))
}

async fn await_replicas(ctx: &Ctx, what: &str, wanted: impl Fn(i32) -> bool) -> Result<()> {
    await_condition(&format!("replicas: {what}"), PATIENCE, || async {
        let now = replicas(ctx).await?;
        ensure!(wanted(now), "it has {now}");
        Ok(Some(()))
    })
    .await
}

/// What it had when the incident began.
async fn await_baseline(ctx: &Ctx) -> Result<i32> {
    let policies = ctx.api::<BotDegradationPolicy>();
    await_condition("the baseline", PATIENCE, || async {
        let status = policies.get("bot").await?.status.unwrap_or_default();
        Ok(status.baseline.first().map(|baseline| baseline.replicas))
    })
    .await
}

async fn await_bounds(ctx: &Ctx, wanted: (i32, i32)) -> Result<()> {
    let hpas = ctx.api::<HorizontalPodAutoscaler>();
    await_condition(&format!("bounds {wanted:?}"), PATIENCE, || async {
        let spec = hpas.get("busy").await?.spec.unwrap_or_default();
        let now = (spec.min_replicas.unwrap_or(0), spec.max_replicas);
        ensure!(now == wanted, "it has {now:?}");
        Ok(Some(()))
    })
    .await
}

async fn await_limited(ctx: &Ctx) -> Result<()> {
    let hpas = ctx.api::<HorizontalPodAutoscaler>();
    await_condition("the autoscaler to want more", PATIENCE, || async {
        let status = hpas.get("busy").await?.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let limited = conditions
            .iter()
            .any(|c| c.type_ == "ScalingLimited" && c.reason.as_deref() == Some("TooManyReplicas"));
        Ok(limited.then_some(()))
    })
    .await
}

/// The field managers that own the number.
async fn owners(ctx: &Ctx) -> Result<Vec<String>> {
    let found = ctx.api::<Deployment>().get("busy").await?;
    let entries = found.metadata.managed_fields.unwrap_or_default();
    let owning = entries.into_iter().filter(|entry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|f| f.0.pointer("/f:spec/f:replicas").is_some())
    });
    Ok(owning.filter_map(|entry| entry.manager).collect())
}
