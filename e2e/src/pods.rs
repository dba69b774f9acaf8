//! Pods of a cluster that has a node: the operators as they are shipped and which of them leads, which
//! pods are ready, and where they can be reached.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::cluster::Cluster;
use crate::environment::Environment;
use crate::http;
use crate::shipped;
use crate::wait::await_condition;

const READY: Duration = Duration::from_secs(120);
/// Where the operator's pod serves its metrics.
const METRICS: u16 = 8080;

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
/// waits until its pods are ready. Which of them leads is not known yet: [`Cluster::await_leader`].
pub async fn install_operator(environment: &Environment) -> Result<Vec<ReadyPod>> {
    let (namespace, name) = shipped::OPERATOR;
    let cluster = &environment.cluster;
    cluster.node()?.import(&shipped::image(name)?).await?;
    let mut objects = shipped::base()?;
    let prometheus = environment.prometheus_for_pods()?;
    let source = json!({"name": "BROWNOUT_PROMETHEUS_URL", "value": prometheus});
    shipped::add_to_container(&mut objects, "env", &[source]);
    cluster.apply_objects(&objects, namespace).await?;
    cluster.await_operators(READY).await
}

/// The label of the operator's pods.
fn operator_labels() -> String {
    format!("app.kubernetes.io/name={}", shipped::OPERATOR.1)
}

impl Cluster {
    /// Waits until all pods of the operator that the base asks for are there and ready.
    pub async fn await_operators(&self, deadline: Duration) -> Result<Vec<ReadyPod>> {
        let count = shipped::operator_replicas()?;
        self.await_pods(shipped::OPERATOR.0, &operator_labels(), count, deadline)
            .await
    }

    /// Waits until one of the operator's pods leads, and gives it: the one that the Lease names, once
    /// it says so itself. The first one of an installation waits until the time of its Lease is out.
    pub async fn await_leader(&self, deadline: Duration) -> Result<ReadyPod> {
        let (namespace, name) = shipped::OPERATOR;
        let leases: Api<Lease> = Api::namespaced(self.client(), namespace);
        await_condition("an operator's pod to lead", deadline, || async {
            let lease = leases.get(name).await?.spec.unwrap_or_default();
            let holder = lease.holder_identity.unwrap_or_default();
            let ready = self.ready_pods(namespace, &operator_labels()).await?;
            let leader = ready.into_iter().find(|pod| is_of(&holder, &pod.name));
            let leader = leader.with_context(|| format!("the Lease is held by {holder:?}"))?;
            let metrics = http::get_text(&format!("http://{}/metrics", leader.at(METRICS))).await?;
            ensure!(
                metrics.lines().any(|line| line == "brownout_leader 1"),
                "{} holds the Lease and does not lead yet",
                leader.name
            );
            Ok(Some(leader))
        })
        .await
    }

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

/// Whether a Lease's holder is this pod: its name, and after it what tells its starts apart.
fn is_of(holder: &str, pod: &str) -> bool {
    holder.split_once('_').is_some_and(|(name, _)| name == pod)
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
