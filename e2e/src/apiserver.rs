//! The API server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::audit::{self, AuditLog};
use crate::certs::{Authority, Identity};
use crate::etcd::Etcd;
use crate::node::Network;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

/// An audience of the API server whose name does not say so, as hosted control planes have them.
pub const AUDIENCE: &str = "https://clusters.example/e2e";
const PROXY_NAME: &str = "front-proxy-client";
const READY: Duration = Duration::from_secs(120);

/// A running API server.
#[derive(Debug)]
pub(crate) struct ApiServer {
    process: Process,
    address: String,
    port: Port,
    pub(crate) audit: AuditLog,
}

/// What the API server shares with others.
pub(crate) struct Keys {
    pub(crate) ca: PathBuf,
    /// The certificate of servers on the loopback interface.
    pub(crate) server: Identity,
    /// Signs service account tokens.
    pub(crate) tokens: Identity,
    node: Option<NodeKeys>,
}

/// What a cluster with a node needs beyond that.
struct NodeKeys {
    network: Network,
    /// By which the API server is known to kubelets.
    kubelet_client: Identity,
    /// Signs `proxy`, and nothing else: whoever has such a certificate is believed about users.
    proxy_ca: PathBuf,
    /// By which the API server is known to servers that it passes requests on to.
    proxy: Identity,
}

impl Keys {
    pub(crate) fn create(authority: &Authority, network: Option<Network>) -> Result<Self> {
        let mut names = [
            "127.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec();
        names.extend(network.map(Network::host));
        names.extend(network.map(Network::kubernetes_service));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(Self {
            ca: authority.cert(),
            server: authority.server("server", &names)?,
            tokens: authority.token_key()?,
            node: network
                .map(|network| NodeKeys::create(authority, network))
                .transpose()?,
        })
    }

    /// Where the API server listens: with a node, on the network that it shares with it.
    fn address(&self) -> String {
        let node = self.node.as_ref();
        node.map_or_else(|| "127.0.0.1".into(), |node| node.network.host())
    }
}

impl NodeKeys {
    fn create(authority: &Authority, network: Network) -> Result<Self> {
        let proxies = Authority::create(&authority.folder().join("front-proxy"))?;
        Ok(Self {
            network,
            kubelet_client: authority.client(
                "kubelet-client",
                "kube-apiserver-kubelet-client",
                Some("system:masters"),
            )?,
            proxy_ca: proxies.cert(),
            proxy: proxies.client("client", PROXY_NAME, None)?,
        })
    }
}

impl ApiServer {
    /// Starts the server; it is not ready yet.
    pub(crate) fn start(run: &RunDir, program: &Path, etcd: &Etcd, keys: &Keys) -> Result<Self> {
        let port = Port::reserve()?;
        let policy = run.data().join("audit-policy.yaml");
        fs::write(&policy, audit::POLICY)
            .with_context(|| format!("cannot write {}", policy.display()))?;
        let log = run.logs().join("audit.jsonl");
        let process = Process::start(run, &spec(program, etcd, keys, &port, &policy, &log))?;
        Ok(Self {
            process,
            address: keys.address(),
            port,
            audit: AuditLog::new(log),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}:{}", self.address, self.port.number())
    }

    /// Waits until the server says that it is ready.
    pub(crate) async fn await_ready(&self, client: &kube::Client) -> Result<()> {
        self.process
            .await_ready(READY, || async {
                let request = http_get("/readyz")?;
                client
                    .request_text(request)
                    .await
                    .map(|_| Some(()))
                    .context("/readyz")
            })
            .await
    }
}

fn http_get(path: &str) -> Result<axum::http::Request<Vec<u8>>> {
    Ok(axum::http::Request::get(path).body(Vec::new())?)
}

fn spec(
    program: &Path,
    etcd: &Etcd,
    keys: &Keys,
    port: &Port,
    policy: &Path,
    audit: &Path,
) -> Spec {
    let spec = Spec::new("kube-apiserver", program)
        .flag("etcd-servers", etcd.url())
        .flag("bind-address", keys.address())
        .flag("advertise-address", keys.address())
        .flag("secure-port", port.number().to_string())
        .flag("tls-cert-file", &keys.server.cert)
        .flag("tls-private-key-file", &keys.server.key)
        .flag("client-ca-file", &keys.ca)
        .flag("service-account-key-file", &keys.tokens.cert)
        .flag("service-account-signing-key-file", &keys.tokens.key)
        .flag("service-account-issuer", "https://kubernetes.default.svc")
        .flag(
            "api-audiences",
            format!("https://kubernetes.default.svc,{AUDIENCE}"),
        )
        .flag("authorization-mode", "Node,RBAC")
        .flag("allow-privileged", "true")
        .flag("profiling", "false")
        .flag("audit-policy-file", policy)
        .flag("audit-log-path", audit)
        .flag("audit-log-maxsize", "100000"); // megabytes: one file, never rotated
    match &keys.node {
        Some(node) => node_flags(spec, node, &keys.ca),
        None => spec
            .flag("service-cluster-ip-range", "10.96.0.0/16")
            .flag("endpoint-reconciler-type", "none"), // a loopback address is no valid endpoint
    }
}

fn node_flags(spec: Spec, node: &NodeKeys, ca: &Path) -> Spec {
    spec.flag("service-cluster-ip-range", node.network.services())
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("kubelet-certificate-authority", ca)
        .flag("kubelet-client-certificate", &node.kubelet_client.cert)
        .flag("kubelet-client-key", &node.kubelet_client.key)
        .flag("requestheader-client-ca-file", &node.proxy_ca)
        .flag("requestheader-allowed-names", PROXY_NAME)
        .flag("requestheader-username-headers", "X-Remote-User")
        .flag("requestheader-group-headers", "X-Remote-Group")
        .flag("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .flag("proxy-client-cert-file", &node.proxy.cert)
        .flag("proxy-client-key-file", &node.proxy.key)
        .flag("enable-aggregator-routing", "true") // straight to metrics-server, without kube-proxy
}
