//! The cluster's DNS server, by which pods find Services. It runs beside the kubelet, not in a pod: it answers
//! before the first pod asks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::network::Network;
use super::sandbox::Sandbox;
use crate::http;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

const READY: Duration = Duration::from_secs(60);
const READY_PORT: u16 = 8181;

/// Names outside of the cluster are refused: there is nobody to ask.
pub(super) async fn start(
    run: &RunDir,
    program: &Path,
    sandbox: &Sandbox,
    network: Network,
    kubeconfig: &Path,
) -> Result<Process> {
    let address = network.node();
    let kubeconfig = kubeconfig.display();
    let config = format!(
        ". {{
    bind {address}
    errors
    ready {address}:{READY_PORT}
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 1
    }}
}}
"
    );
    let path = sandbox.folder.join("Corefile");
    fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
    let spec = Spec::new("coredns", program).arg("-conf").arg(&path);
    let process = Process::start(run, &sandbox.inside(spec)?)?;
    let ready = format!("http://{address}:{READY_PORT}/ready");
    process.await_ready(READY, || http::is_ok(&ready)).await?;
    Ok(process)
}
