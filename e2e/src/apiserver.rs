//! The API server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::audit::{self, AuditLog};
use crate::certs::{Authority, Identity};
use crate::etcd::Etcd;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

const READY: Duration = Duration::from_secs(120);

/// A running API server.
#[derive(Debug)]
pub(crate) struct ApiServer {
    process: Process,
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
}

impl Keys {
    pub(crate) fn create(authority: &Authority) -> Result<Self> {
        Ok(Self {
            ca: authority.cert(),
            server: authority.server(
                "server",
                &["127.0.0.1", "localhost", "kubernetes.default.svc"],
            )?,
            tokens: authority.token_key()?,
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
            port,
            audit: AuditLog::new(log),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.port.address())
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
    Spec::new("kube-apiserver", program)
        .flag("etcd-servers", etcd.url())
        .flag("bind-address", "127.0.0.1")
        .flag("advertise-address", "127.0.0.1")
        .flag("secure-port", port.number().to_string())
        .flag("tls-cert-file", &keys.server.cert)
        .flag("tls-private-key-file", &keys.server.key)
        .flag("client-ca-file", &keys.ca)
        .flag("service-account-key-file", &keys.tokens.cert)
        .flag("service-account-signing-key-file", &keys.tokens.key)
        .flag("service-account-issuer", "https://kubernetes.default.svc")
        .flag("service-cluster-ip-range", "10.96.0.0/16")
        .flag("authorization-mode", "Node,RBAC")
        .flag("endpoint-reconciler-type", "none") // a loopback address is no valid endpoint
        .flag("allow-privileged", "true")
        .flag("profiling", "false")
        .flag("audit-policy-file", policy)
        .flag("audit-log-path", audit)
        .flag("audit-log-maxsize", "100000") // megabytes: one file, never rotated
}
