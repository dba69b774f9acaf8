//! kube-proxy, which makes Services reachable from the node's pods (and, by a route, from here).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::NAME;
use super::network::Network;
use super::sandbox::Sandbox;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

pub(super) fn start(
    run: &RunDir,
    program: &Path,
    sandbox: &Sandbox,
    network: Network,
    kubeconfig: &Path,
) -> Result<Process> {
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": kubeconfig},
        "hostnameOverride": NAME,
        "clusterCIDR": network.pods(),
        // answers of one pod of the bridge to another come back this way also where the kernel
        // does not show bridged packets to the packet filter
        "nftables": {"masqueradeAll": true},
        "conntrack": {"maxPerCore": 0, "min": 0}, // the table is this machine's
    });
    let path = sandbox.folder.join("kube-proxy.json");
    fs::write(&path, config.to_string())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let spec = Spec::new("kube-proxy", program).flag("config", &path);
    Process::start(run, &sandbox.inside(spec)?)
}
