//! Are pods found: by Services, by DNS, from pods and from this machine?

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial};
use e2e::image::BUSYBOX;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::Service;
use libtest_mimic::Trial;

use crate::support::{DEADLINE, address, pods_of, start_web};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("services_are_reached_by_address_and_name", address_and_name),
        trial("services_lead_a_pod_to_the_api_server", api_server),
        trial("services_pods_and_prometheus_reach_each_other", prometheus),
    ]
}

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

async fn address_and_name(ctx: Ctx) -> Result<()> {
    ctx.apply(SERVICE).await?;
    start_web(&ctx, 1).await?;
    let service = ctx.api::<Service>().get("web").await?;
    let address = service.spec.and_then(|spec| spec.cluster_ip);
    let address = address.context("the Service has no address")?;
    await_condition("an answer to this machine", DEADLINE, || async {
        let said = e2e::http::get_text(&format!("http://{address}/greeting")).await?;
        Ok(said.starts_with("greetings").then_some(()))
    })
    .await?;
    // from a pod to itself: the way through the Service and back is the hardest
    let full = format!("web.{}.svc.cluster.local", ctx.namespace());
    for host in [address.as_str(), "web", &full] {
        let url = format!("http://{host}/greeting");
        let command = ["exec", "deployment/web", "--", "wget", "-qO-", url.as_str()];
        await_condition("an answer to the pod", DEADLINE, || async {
            let said = ctx.kubectl(&command).await?;
            ensure!(said.starts_with("greetings"), "{url} answered {said}");
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

/// With the token and the address that every pod is given.
async fn api_server(ctx: Ctx) -> Result<()> {
    start_asker(&ctx).await?;
    let script = "cd /var/run/secrets/kubernetes.io/serviceaccount && test -s ca.crt && \
        wget -qO- --no-check-certificate --header \"Authorization: Bearer $(cat token)\" https://kubernetes.default.svc/apis";
    await_answer(&ctx, &["sh", "-c", script], "APIGroupList").await
}

async fn prometheus(ctx: Ctx) -> Result<()> {
    start_asker(&ctx).await?;
    let url = ctx.environment().prometheus_for_pods()?;
    let url = format!("{url}/api/v1/query?query=vector(42)");
    await_answer(&ctx, &["wget", "-qO-", &url], "\"42\"").await?;

    ctx.apply(METRICS).await?;
    let exporter = await_condition("the pod with metrics", DEADLINE, || async {
        let pod = pods_of(&ctx, "exporter").await?.pop();
        let pod = pod.context("there is no pod yet")?;
        Ok(Some(format!("{}:8080", address(&pod)?)))
    })
    .await?;
    let _target = ctx.prometheus().add_target(
        &exporter,
        &[("job", ctx.job()), ("__metrics_path__", "/metrics.txt")],
    )?;
    let query = format!("depth{{job=\"{}\"}}", ctx.job());
    let is_seven = |value: f64| (value - 7.0).abs() < f64::EPSILON;
    ctx.prometheus()
        .await_value(&query, DEADLINE, is_seven)
        .await?;
    Ok(())
}

const METRICS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: exporter, labels: {app: exporter}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: exporter
    image: local/busybox:1
    imagePullPolicy: Never
    command: [sh, -c, 'mkdir /www; echo depth 7 > /www/metrics.txt; exec httpd -f -p 8080 -h /www']
";

async fn start_asker(ctx: &Ctx) -> Result<()> {
    ctx.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: asker}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: asker, image: {BUSYBOX}, imagePullPolicy: Never}}]
"
    ))
    .await?;
    Ok(())
}

async fn await_answer(ctx: &Ctx, command: &[&str], wanted: &str) -> Result<()> {
    let what = format!("an answer with {wanted}");
    await_condition(&what, DEADLINE, || async {
        let args = [&["exec", "asker", "--"], command].concat();
        let said = ctx.kubectl(&args).await?;
        ensure!(said.contains(wanted), "it said {said}");
        Ok(Some(()))
    })
    .await
}
