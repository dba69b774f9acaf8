//! Kubernetes' own controllers: Deployments, namespaces, garbage collection, autoscalers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::apiserver::Keys;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

const READY: Duration = Duration::from_secs(60);

/// A running controller manager.
#[derive(Debug)]
pub(crate) struct ControllerManager {
    process: Process,
    port: Port,
}

impl ControllerManager {
    /// Starts it; the API server must be ready, for it waits 10 s only and then gives up.
    pub(crate) fn start(
        run: &RunDir,
        program: &Path,
        kubeconfig: &Path,
        keys: &Keys,
    ) -> Result<Self> {
        let port = Port::reserve()?;
        let spec = Spec::new("kube-controller-manager", program)
            .flag("kubeconfig", kubeconfig)
            .flag("authentication-kubeconfig", kubeconfig)
            .flag("authorization-kubeconfig", kubeconfig)
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", port.number().to_string())
            .flag("tls-cert-file", &keys.server.cert)
            .flag("tls-private-key-file", &keys.server.key)
            .flag("root-ca-file", &keys.ca)
            .flag("service-account-private-key-file", &keys.tokens.key)
            .flag("use-service-account-credentials", "true")
            .flag("leader-elect", "false")
            .flag("kube-api-qps", "300") // tests run side by side: the default of 20 would be their bottleneck
            .flag("kube-api-burst", "600")
            .flag("horizontal-pod-autoscaler-sync-period", "2s") // tests await what autoscalers do
            .flag("profiling", "false");
        Ok(Self {
            process: Process::start(run, &spec)?,
            port,
        })
    }

    pub(crate) async fn await_ready(&self, ca: &Path) -> Result<()> {
        let pem = std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .tls_certs_only([reqwest::Certificate::from_pem(&pem)?])
            .build()?;
        let url = format!("https://{}/healthz", self.port.address());
        self.process
            .await_ready(READY, || async {
                client.get(&url).send().await?.error_for_status()?;
                Ok(Some(()))
            })
            .await
    }
}
