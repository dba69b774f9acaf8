//! metrics-server: what pods use of CPU and memory, for autoscalers and `kubectl top`. It runs
//! beside the kubelet, not in a pod.

use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use serde_json::json;

use super::network::Network;
use super::sandbox::Sandbox;
use crate::certs::Authority;
use crate::cluster::Cluster;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

const PORT: u16 = 10_443;
const SERVICE: &str = "metrics-server.kube-system.svc";

/// Starts it; it serves figures once it has asked the kubelet twice.
pub(super) fn start(
    run: &RunDir,
    program: &Path,
    sandbox: &Sandbox,
    network: Network,
    authority: &Authority,
    kubeconfig: &Path,
) -> Result<Process> {
    let server = authority.server("metrics-server", &[SERVICE])?;
    let spec = Spec::new("metrics-server", program)
        .flag("kubeconfig", kubeconfig)
        .flag("authentication-kubeconfig", kubeconfig)
        .flag("authorization-kubeconfig", kubeconfig)
        .flag("bind-address", network.node())
        .flag("secure-port", PORT.to_string())
        .flag("tls-cert-file", server.cert)
        .flag("tls-private-key-file", server.key)
        .flag("kubelet-certificate-authority", authority.cert())
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("kubelet-use-node-status-port", "true")
        .flag("metric-resolution", "10s") // the least that it takes
        .flag("kubelet-request-timeout", "5s"); // must be less
    Process::start(run, &sandbox.inside(spec)?)
}

/// Makes it the one that answers for metrics.k8s.io.
pub(super) async fn register(
    cluster: &Cluster,
    network: Network,
    authority: &Authority,
) -> Result<()> {
    let ca = authority.cert();
    let ca = std::fs::read(&ca).with_context(|| format!("cannot read {}", ca.display()))?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": PORT}]},
    });
    let endpoints = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "metrics-server", "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "metrics-server"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": PORT}],
        "endpoints": [{"addresses": [network.node()], "conditions": {"ready": true}}],
    });
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io", "version": "v1beta1",
            "groupPriorityMinimum": 100, "versionPriority": 100,
            "caBundle": ByteString(ca),
            "service": {"name": "metrics-server", "namespace": "kube-system", "port": 443},
        },
    });
    for object in [service, endpoints, api] {
        let yaml = serde_saphyr::to_string(&object).context("cannot write YAML")?;
        cluster.apply(&yaml, "kube-system").await?;
    }
    Ok(())
}
