//! A Kubernetes control plane for one run: etcd, API server and controller manager; without
//! nodes, which is quick, or with one that runs pods.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use kube::Client;

use crate::apiserver::{ApiServer, Keys};
use crate::audit::AuditLog;
use crate::certs::Authority;
use crate::controller_manager::ControllerManager;
use crate::etcd::Etcd;
use crate::kubeconfig::{self, Credentials};
use crate::node::{Node, Site};
use crate::progress::say;
use crate::run_dir::RunDir;
use crate::scheduler::Scheduler;
use crate::tools::Tool;

/// Names a kubeconfig of a cluster to use instead of starting one. A variable of its own:
/// `KUBECONFIG` is often set to something precious.
pub(crate) const EXISTING: &str = "BROWNOUT_E2E_KUBECONFIG";

/// A cluster with a person's rights over all of it.
pub struct Cluster {
    client: Client,
    kubeconfig: PathBuf,
    pub(crate) own: Option<Own>,
    pub(crate) run: Arc<RunDir>,
}

/// What we started ourselves, in the order in which it is ended.
pub(crate) struct Own {
    node: Option<Node>,
    _scheduler: Option<Scheduler>,
    _controller_manager: ControllerManager,
    apiserver: ApiServer,
    _etcd: Etcd,
    pub(crate) authority: Authority,
}

/// Whether the cluster is one that was brought along: nothing can be read of its audit log, nor anybody
/// but the administrator be logged in.
pub fn is_brought_along() -> bool {
    env::var_os(EXISTING).is_some()
}

impl Cluster {
    /// Starts a cluster, or uses the one that `BROWNOUT_E2E_KUBECONFIG` names.
    pub async fn start(run: Arc<RunDir>) -> Result<Self> {
        if let Some(path) = env::var_os(EXISTING) {
            let kubeconfig = PathBuf::from(path);
            say(format!("using the cluster of {}", kubeconfig.display()));
            let client = kubeconfig::client(&kubeconfig).await?;
            return Ok(Self {
                client,
                kubeconfig,
                own: None,
                run,
            });
        }
        Self::start_own(run, None).await
    }

    /// Starts a cluster with a node that runs pods, where [`crate::node::possible`] says that
    /// it can be done.
    pub async fn start_with_node(run: Arc<RunDir>) -> Result<Self> {
        let site = Site::prepare(&run).await?;
        Self::start_own(run, Some(site)).await
    }

    async fn start_own(run: Arc<RunDir>, site: Option<Site>) -> Result<Self> {
        let etcd = Tool::Etcd.find_or_build().await?;
        let apiserver = Tool::KubeApiserver.find_or_build().await?;
        let controller_manager = Tool::KubeControllerManager.find_or_build().await?;

        let authority = Authority::create(&run.data().join("pki"))?;
        let keys = Keys::create(&authority, site.as_ref().map(|site| site.network))?;
        let etcd = Etcd::start(&run, &etcd).await?;
        let apiserver = ApiServer::start(&run, &apiserver, &etcd, &keys)?;

        let kubeconfig = run.data().join("admin.kubeconfig");
        let admin = authority.client("admin", "brownout-e2e-admin", Some("system:masters"))?;
        kubeconfig::write(
            &kubeconfig,
            &apiserver.url(),
            &keys.ca,
            &Credentials::Certificate(&admin),
        )?;
        let client = kubeconfig::client(&kubeconfig).await?;
        apiserver.await_ready(&client).await?;

        let login = |name: &str| {
            let path = run.data().join(format!("{name}.kubeconfig"));
            let identity = authority.client(name, &format!("system:{name}"), None)?;
            kubeconfig::write_like(&path, &kubeconfig, &Credentials::Certificate(&identity))?;
            anyhow::Ok(path)
        };
        let kcm = login("kube-controller-manager")?;
        let controllers = ControllerManager::start(&run, &controller_manager, &kcm, &keys)?;
        let scheduler = match &site {
            Some(_) => {
                let program = Tool::KubeScheduler.find_or_build().await?;
                let login = login("kube-scheduler")?;
                Some(Scheduler::start(&run, &program, &login, &keys)?)
            }
            None => None,
        };
        controllers.await_ready(&keys.ca).await?;

        let own = Own {
            node: None,
            _scheduler: scheduler,
            _controller_manager: controllers,
            apiserver,
            _etcd: etcd,
            authority,
        };
        let mut cluster = Self {
            client,
            kubeconfig,
            own: Some(own),
            run,
        };
        if let Some(site) = site {
            cluster.add_node(site).await?;
        }
        Ok(cluster)
    }

    async fn add_node(&mut self, site: Site) -> Result<()> {
        let authority = &self.own()?.authority;
        let node = Node::start(&self.run, site, self, authority).await?;
        if let Some(own) = &mut self.own {
            own.node = Some(node);
        }
        Ok(())
    }

    /// The node that runs pods; an error where the cluster was started without.
    pub fn node(&self) -> Result<&Node> {
        let node = self.own()?.node.as_ref();
        node.context("this cluster was started without a node")
    }

    fn own(&self) -> Result<&Own> {
        self.own
            .as_ref()
            .context("this cluster was brought along: we started nothing of it")
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The kubeconfig file of that client.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's audit log. A cluster that we did not start has none that we can read.
    pub fn audit(&self) -> Result<&AuditLog> {
        let own = self
            .own
            .as_ref()
            .context("the audit log of a cluster that was brought along cannot be read")?;
        Ok(&own.apiserver.audit)
    }
}
