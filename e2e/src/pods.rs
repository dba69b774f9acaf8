//! Pods of a cluster that has a node: the operator as it is shipped, which pods are ready, and where
//! they can be reached.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::cluster::Cluster;
use crate::environment::Environment;
use crate::shipped;
use crate::wait::await_condition;

const READY: Duration = Duration::from_secs(120);

/// A pod that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyPod {
    /// Its name.
    pub name: String,
    /// Its address, which this machine reaches.
    pub ip: IpAddr,
}

impl ReadyPod {
    /// Where it serves a port.
    pub fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }
}

/// Installs the operator as `kubectl apply -k manifests/base` does, told where Prometheus is, and
/// waits until its pod is ready.
pub async fn install_operator(environment: &Environment) -> Result<ReadyPod> {
    let (namespace, name) = shipped::OPERATOR;
    let cluster = &environment.cluster;
    cluster.node()?.import(&shipped::image(name)?).await?;
    let mut objects = shipped::base()?;
    let prometheus = environment.prometheus_for_pods()?;
    let source = json!({"name": "BROWNOUT_PROMETHEUS_URL", "value": prometheus});
    shipped::add_to_container(&mut objects, "env", &[source]);
    cluster.apply_objects(&objects, namespace).await?;
    let labels = format!("app.kubernetes.io/name={name}");
    let pods = cluster.await_pods(namespace, &labels, 1, READY).await?;
    pods.into_iter().next().context("there is one")
}

impl Cluster {
    /// The pods with these labels that are ready and not on their way out, by name.
    pub async fn ready_pods(&self, namespace: &str, labels: &str) -> Result<Vec<ReadyPod>> {
        let pods: Api<Pod> = Api::namespaced(self.client(), namespace);
        let list = pods.list(&ListParams::default().labels(labels)).await?;
        let mut ready: Vec<_> = list.items.iter().filter_map(ready_pod).collect();
        ready.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ready)
    }

    /// Waits until exactly so many pods with these labels are there, all of them ready.
    pub async fn await_pods(
        &self,
        namespace: &str,
        labels: &str,
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<ReadyPod>> {
        let pods: Api<Pod> = Api::namespaced(self.client(), namespace);
        let what = format!("{count} ready pods with {labels}");
        await_condition(&what, deadline, || async {
            let list = pods.list(&ListParams::default().labels(labels)).await?;
            let ready: Vec<_> = list.items.iter().filter_map(ready_pod).collect();
            if ready.len() != count || list.items.len() != count {
                let states: Vec<_> = list.items.iter().map(state).collect();
                bail!("there are {}: {states:?}", list.items.len());
            }
            Ok(Some(ready))
        })
        .await
    }
}

fn ready_pod(pod: &Pod) -> Option<ReadyPod> {
    let status = pod.status.as_ref()?;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let ready = conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let ip = status.pod_ip.as_ref()?.parse().ok()?;
    (ready && pod.metadata.deletion_timestamp.is_none()).then(|| ReadyPod {
        name: pod.name_any(),
        ip,
    })
}

/// What keeps a pod, for a person.
fn state(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let waiting = containers.into_iter().find_map(|container| {
        let waiting = container.state?.waiting?;
        Some(format!(
            "{} {}",
            waiting.reason.unwrap_or_default(),
            waiting.message.unwrap_or_default()
        ))
    });
    let phase = status.phase.unwrap_or_default();
    let leaving = pod.metadata.deletion_timestamp.as_ref().map(|_| "leaving");
    [
        pod.name_any(),
        phase,
        waiting.unwrap_or_default(),
        leaving.unwrap_or_default().to_owned(),
    ]
    .join(" ")
}
