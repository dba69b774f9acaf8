//! A Kubernetes control plane for one run: etcd, API server and controller manager, without nodes.

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
use crate::progress::say;
use crate::run_dir::RunDir;
use crate::tools::Tool;

/// Names a kubeconfig of a cluster to use instead of starting one. A variable of its own:
/// `KUBECONFIG` is often set to something precious.
const EXISTING: &str = "BROWNOUT_E2E_KUBECONFIG";

/// A cluster with a person's rights over all of it.
pub struct Cluster {
    client: Client,
    kubeconfig: PathBuf,
    pub(crate) own: Option<Own>,
    pub(crate) run: Arc<RunDir>,
}

/// What we started ourselves, in the order in which it is ended.
pub(crate) struct Own {
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
        Self::start_own(run).await
    }

    async fn start_own(run: Arc<RunDir>) -> Result<Self> {
        let etcd = Tool::Etcd.find_or_build().await?;
        let apiserver = Tool::KubeApiserver.find_or_build().await?;
        let controller_manager = Tool::KubeControllerManager.find_or_build().await?;

        let authority = Authority::create(&run.data().join("pki"))?;
        let keys = Keys::create(&authority)?;
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

        let kcm_kubeconfig = run.data().join("controller-manager.kubeconfig");
        let kcm = authority.client("controller-manager", "system:kube-controller-manager", None)?;
        kubeconfig::write(
            &kcm_kubeconfig,
            &apiserver.url(),
            &keys.ca,
            &Credentials::Certificate(&kcm),
        )?;
        let controllers =
            ControllerManager::start(&run, &controller_manager, &kcm_kubeconfig, &keys)?;
        controllers.await_ready(&keys.ca).await?;

        let own = Own {
            _controller_manager: controllers,
            apiserver,
            _etcd: etcd,
            authority,
        };
        Ok(Self {
            client,
            kubeconfig,
            own: Some(own),
            run,
        })
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
