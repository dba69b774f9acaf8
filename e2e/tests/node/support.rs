//! What the tests share.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::harness::Ctx;
use e2e::image::BUSYBOX;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

/// Generous: the machine may be busy with other tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A Deployment `web` of pods that serve the file `/www/greeting` once they are ready.
pub(crate) fn web(replicas: u32) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: {BUSYBOX}
        imagePullPolicy: Never
        command: [sh, -c, 'mkdir /www; echo greetings from $HOSTNAME > /www/greeting; echo started; exec httpd -f -p 8080 -h /www']
        readinessProbe: {{httpGet: {{path: /greeting, port: 8080}}, periodSeconds: 1}}
"
    )
}

/// A Deployment `web` that is up.
pub(crate) async fn start_web(ctx: &Ctx, replicas: u32) -> Result<()> {
    ctx.apply(&web(replicas)).await?;
    await_available(ctx, "web", i32::try_from(replicas)?).await
}

/// Waits until so many pods of a Deployment are available, and no more.
pub(crate) async fn await_available(ctx: &Ctx, name: &str, replicas: i32) -> Result<()> {
    let deployments = ctx.api::<Deployment>();
    await_condition(&format!("{replicas} pods of {name}"), DEADLINE, || async {
        let status = deployments.get(name).await?.status.unwrap_or_default();
        let available = status.available_replicas.unwrap_or(0);
        let there = status.replicas.unwrap_or(0);
        ensure!(
            (available, there) == (replicas, replicas),
            "{available} of {there} are available"
        );
        Ok(Some(()))
    })
    .await
}

/// Sets the replicas of a Deployment by its scale.
pub(crate) async fn scale(ctx: &Ctx, name: &str, replicas: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let deployments = ctx.api::<Deployment>();
    deployments
        .patch_scale(name, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// The pods with the label `app`, those that are ending included.
pub(crate) async fn pods_of(ctx: &Ctx, app: &str) -> Result<Vec<Pod>> {
    let labels = ListParams::default().labels(&format!("app={app}"));
    Ok(ctx.api::<Pod>().list(&labels).await?.items)
}

/// The address of a pod.
pub(crate) fn address(pod: &Pod) -> Result<&str> {
    let status = pod.status.as_ref().context("the pod has no status")?;
    status.pod_ip.as_deref().context("the pod has no address")
}
