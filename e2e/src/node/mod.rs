//! A node that runs real pods: containerd, kubelet, kube-proxy, and beside them DNS and metrics.
//!
//! All of it lives in namespaces of its own ([`sandbox`]); its network is reached from here by
//! routes ([`network`]): pods by their address, Services by theirs. There is no registry: an
//! image is imported ([`Node::import`]), and pods say `imagePullPolicy: Never`.

pub(crate) mod cgroups;
mod containerd;
mod dns;
mod kube_proxy;
mod kubelet;
mod metrics_server;
mod network;
mod requirements;
mod sandbox;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;

use self::containerd::Containerd;
pub(crate) use self::network::{Network, is_inside};
pub(crate) use self::sandbox::Sandbox;
use crate::certs::Authority;
use crate::cluster::Cluster;
use crate::kubeconfig::{self, Credentials};
use crate::process::Process;
use crate::run_dir::RunDir;
use crate::tools::Tool;
use crate::wait::await_condition;

/// The name of the node in the cluster.
pub const NAME: &str = "node";

/// How often the kubelet looks after a pod's volumes, before it adds up to a half of that at random.
pub const VOLUME_SYNC: Duration = Duration::from_secs(10);

const READY: Duration = Duration::from_secs(120);

/// Whether a node can be run on this machine; if not, why, and what to do about it.
pub fn possible() -> Result<(), String> {
    requirements::check()
}

/// Where the node will live: made before the API server, which listens on this network.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) network: Network,
    sandbox: Sandbox,
}

impl Site {
    pub(crate) async fn prepare(run: &RunDir) -> Result<Self> {
        possible().map_err(|why| anyhow::anyhow!("no node can be run here: {why}"))?;
        cgroups::create(run.name())?;
        let sandbox = Sandbox::start(run).await?;
        let network = Network::connect(&sandbox).await?;
        Ok(Self { network, sandbox })
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    site: Site,
    containerd: Containerd,
    _processes: Vec<Process>,
}

impl Node {
    /// Starts everything on the node of `cluster` and waits until pods can be placed on it.
    pub(crate) async fn start(
        run: &RunDir,
        site: Site,
        cluster: &Cluster,
        authority: &Authority,
    ) -> Result<Self> {
        let Site { network, sandbox } = &site;
        let login = |name: &str, user: &str, group: Option<&str>| {
            let path = run.data().join(format!("{name}.kubeconfig"));
            let identity = authority.client(name, user, group)?;
            let credentials = Credentials::Certificate(&identity);
            kubeconfig::write_like(&path, cluster.kubeconfig(), &credentials)?;
            anyhow::Ok(path)
        };
        let containerd = Containerd::start(run, sandbox, *network).await?;
        let kubelet = kubelet::start(
            run,
            &Tool::Kubelet.find_or_build().await?,
            sandbox,
            *network,
            authority,
            &login("node", &format!("system:node:{NAME}"), Some("system:nodes"))?,
        )?;
        let kube_proxy = kube_proxy::start(
            run,
            &Tool::KubeProxy.find_or_build().await?,
            sandbox,
            *network,
            &login("kube-proxy", "system:kube-proxy", None)?,
        )?;
        // a throw-away cluster: these two are trusted with all of it
        let helper = login("node-services", "node-services", Some("system:masters"))?;
        let metrics = metrics_server::start(
            run,
            &Tool::MetricsServer.find_or_build().await?,
            sandbox,
            *network,
            authority,
            &helper,
        )?;
        let coredns = Tool::CoreDns.find_or_build().await?;
        let dns = dns::start(run, &coredns, sandbox, *network, &helper).await?;
        metrics_server::register(cluster, *network, authority).await?;
        await_ready(cluster, &kubelet).await?;
        Ok(Self {
            site,
            containerd,
            _processes: vec![kubelet, kube_proxy, metrics, dns],
        })
    }

    /// Imports an image archive (of `docker save`, `buildah push docker-archive:` or
    /// [`crate::image`]) and gives the full names of its images. Pods use them with
    /// `imagePullPolicy: Never`. [`crate::image::BUSYBOX`] is there from the start.
    pub async fn import(&self, archive: &Path) -> Result<Vec<String>> {
        self.containerd.import(&self.site.sandbox, archive).await
    }

    /// The address of this machine as pods see it: what listens there (or on all addresses) is
    /// reached by them.
    pub fn host_address(&self) -> String {
        self.site.network.host()
    }

    /// The address of the node as this machine and pods see it.
    pub fn address(&self) -> String {
        self.site.network.node()
    }
}

async fn await_ready(cluster: &Cluster, kubelet: &Process) -> Result<()> {
    let nodes: Api<NodeObject> = Api::all(cluster.client());
    kubelet
        .await_ready(READY, || async {
            let status = nodes.get(NAME).await?.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let ready = conditions.iter().find(|c| c.type_ == "Ready");
            let ready = ready.context("the kubelet has not registered the node")?;
            anyhow::ensure!(
                ready.status == "True",
                "{}",
                ready.message.as_deref().unwrap_or("not ready")
            );
            Ok(Some(()))
        })
        .await?;
    // a node's taint "not ready" is taken off by a controller, and the pods' account is made by one
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(cluster.client(), "default");
    await_condition("the node to take pods", READY, || async {
        let spec = nodes.get(NAME).await?.spec.unwrap_or_default();
        accounts.get("default").await?;
        Ok(spec
            .taints
            .is_none_or(|taints| taints.is_empty())
            .then_some(()))
    })
    .await
}
