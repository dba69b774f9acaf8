//! The kubelet, which runs the pods that are placed on the node.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::containerd::ENDPOINT;
use super::network::Network;
use super::sandbox::Sandbox;
use super::{NAME, VOLUME_SYNC, cgroups};
use crate::certs::Authority;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

/// Starts it; the node is ready once the API server says so.
pub(super) fn start(
    run: &RunDir,
    program: &Path,
    sandbox: &Sandbox,
    network: Network,
    authority: &Authority,
    kubeconfig: &Path,
) -> Result<Process> {
    let folder = sandbox.folder.join("kubelet");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let address = network.node();
    let server = authority.server("kubelet", &[&address, NAME])?;
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "containerRuntimeEndpoint": ENDPOINT,
        "tlsCertFile": server.cert,
        "tlsPrivateKeyFile": server.key,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": authority.cert()},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDNS": [address],
        "clusterDomain": "cluster.local",
        "resolvConf": "", // this machine's name servers are not reachable from pods
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", cgroups::name(run.name())),
        "failCgroupV1": false,
        "failSwapOn": false,
        "makeIPTablesUtilChains": false, // kube-proxy works with nftables
        "volumePluginDir": folder.join("plugins"),
        // a full disk is this machine's matter: it must not cost pods or images
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        // a changed ConfigMap reaches volumes at the next sync: one minute later by default
        "syncFrequency": format!("{}s", VOLUME_SYNC.as_secs()),
    });
    let path = folder.join("config.json");
    fs::write(&path, config.to_string())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let spec = Spec::new("kubelet", program)
        .flag("config", &path)
        .flag("kubeconfig", kubeconfig)
        .flag("hostname-override", NAME)
        .flag("node-ip", address)
        .flag("root-dir", folder.join("root"))
        .flag("cert-dir", folder.join("pki"));
    Process::start(run, &sandbox.inside(spec)?)
}
