//! Does the environment itself work?

use std::time::Duration;

use anyhow::Result;
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::ListParams;
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("smoke_controllers_work", controllers_work),
        trial(
            "smoke_prometheus_sees_an_exporter",
            prometheus_sees_an_exporter,
        ),
        trial(
            "smoke_prometheus_comes_back_with_its_data",
            prometheus_comes_back_with_its_data,
        ),
        needs_own_cluster(trial(
            "smoke_audit_log_knows_who_wrote",
            audit_log_knows_who_wrote,
        )),
        trial(
            "smoke_a_service_account_has_its_own_rights",
            a_service_account_has_its_own_rights,
        ),
    ]
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 2
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: worker, image: none}]}
";

async fn controllers_work(ctx: Ctx) -> Result<()> {
    ctx.apply(DEPLOYMENT).await?;
    let sets = ctx.api::<ReplicaSet>();
    await_condition(
        "the Deployment's ReplicaSet",
        Duration::from_secs(30),
        || async {
            let list = sets
                .list(&ListParams::default().labels("app=worker"))
                .await?;
            Ok((!list.items.is_empty()).then_some(()))
        },
    )
    .await
}

async fn prometheus_sees_an_exporter(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[("queue", "critical")]);
    depth.set(7.0);
    let query = format!(
        "bot_queue_depth{{job=\"{}\",queue=\"critical\"}}",
        ctx.job()
    );
    ctx.prometheus()
        .await_value(&query, Duration::from_secs(30), |value| same(value, 7.0))
        .await?;
    depth.set(9.0);
    ctx.prometheus()
        .await_value(&query, Duration::from_secs(30), |value| same(value, 9.0))
        .await?;
    Ok(())
}

async fn prometheus_comes_back_with_its_data(ctx: Ctx) -> Result<()> {
    let prometheus = ctx.own_prometheus().await?;
    let bot = ctx.exporter_at(&prometheus).await?;
    bot.counter("bot_requests_total", &[]).add(5.0);
    let query = "max_over_time(bot_requests_total[5m])";
    prometheus
        .await_value(query, Duration::from_secs(30), |value| same(value, 5.0))
        .await?;
    bot.unregister();

    prometheus.kill()?;
    assert!(
        prometheus.query("vector(1)").await.is_err(),
        "a killed Prometheus answers nothing"
    );
    prometheus.start_again().await?;

    prometheus
        .await_value(query, Duration::from_secs(30), |value| same(value, 5.0))
        .await?;
    Ok(())
}

async fn audit_log_knows_who_wrote(ctx: Ctx) -> Result<()> {
    let audit = ctx.cluster().audit()?;
    let mark = audit.mark()?;
    ctx.apply(DEPLOYMENT).await?;
    await_condition(
        "the write in the audit log",
        Duration::from_secs(30),
        || async {
            let writes = audit.writes_by("brownout-e2e-admin", mark)?;
            let ours = writes.iter().filter_map(|write| write.object_ref.as_ref());
            Ok(ours
                .map(|object| object.namespace.as_str())
                .any(|name| name == ctx.namespace())
                .then_some(()))
        },
    )
    .await
}

const READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
- {apiGroups: [''], resources: [configmaps], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader}]
";

async fn a_service_account_has_its_own_rights(ctx: Ctx) -> Result<()> {
    ctx.apply(READER).await?;
    let reader = ctx
        .cluster()
        .service_account(ctx.namespace(), "reader")
        .await?;
    let configmaps: Api<ConfigMap> = Api::namespaced(reader.client.clone(), ctx.namespace());
    let secrets: Api<Secret> = Api::namespaced(reader.client, ctx.namespace());
    await_condition(
        "the role to be in force",
        Duration::from_secs(30),
        || async { Ok(Some(configmaps.list(&ListParams::default()).await?)) },
    )
    .await?;
    assert!(
        secrets.list(&ListParams::default()).await.is_err(),
        "the role allows no secrets"
    );
    Ok(())
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < f64::EPSILON
}
