//! Kubeconfig files: how anyone reaches the cluster as somebody.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::certs::Identity;

/// How a user proves who they are.
pub(crate) enum Credentials<'a> {
    Certificate(&'a Identity),
    Token(&'a str),
}

impl Credentials<'_> {
    fn to_json(&self) -> Value {
        match self {
            Self::Certificate(identity) => {
                json!({"client-certificate": identity.cert, "client-key": identity.key})
            }
            Self::Token(token) => json!({"token": token}),
        }
    }
}

/// Writes a kubeconfig for a server whose certificate `ca` signed.
pub(crate) fn write(
    path: &Path,
    server: &str,
    ca: &Path,
    credentials: &Credentials<'_>,
) -> Result<()> {
    write_for_cluster(
        path,
        &json!({"server": server, "certificate-authority": ca}),
        credentials,
    )
}

/// Writes a kubeconfig for the cluster that another kubeconfig describes, as somebody else.
pub(crate) fn write_like(path: &Path, like: &Path, credentials: &Credentials<'_>) -> Result<()> {
    let other =
        Kubeconfig::read_from(like).with_context(|| format!("cannot read {}", like.display()))?;
    let wanted = other
        .current_context
        .as_deref()
        .context("the kubeconfig has no current context")?;
    let context = other
        .contexts
        .iter()
        .find(|context| context.name == wanted)
        .and_then(|named| named.context.as_ref());
    let name = &context
        .with_context(|| format!("the kubeconfig has no context {wanted}"))?
        .cluster;
    let cluster = other.clusters.iter().find(|cluster| &cluster.name == name);
    let cluster = cluster.with_context(|| format!("the kubeconfig has no cluster {name}"))?;
    write_for_cluster(path, &serde_json::to_value(&cluster.cluster)?, credentials)
}

fn write_for_cluster(path: &Path, cluster: &Value, credentials: &Credentials<'_>) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": "e2e", "user": credentials.to_json()}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        "current-context": "e2e",
    });
    let text = serde_saphyr::to_string(&config).context("cannot write YAML")?;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// What our own clients call themselves: a test may be logged in as an operator without being one.
pub(crate) const AGENT: &str = "e2e";

/// A client that is who the kubeconfig says.
pub(crate) async fn client(path: &Path) -> Result<kube::Client> {
    connect(config(path).await?)
}

/// The same, which makes each request once: its answer is the server's own.
pub(crate) async fn client_without_retries(path: &Path) -> Result<kube::Client> {
    let mut config = config(path).await?;
    config.default_retry = false;
    connect(config)
}

async fn config(path: &Path) -> Result<kube::Config> {
    let kubeconfig =
        Kubeconfig::read_from(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut config =
        kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .with_context(|| format!("cannot use {}", path.display()))?;
    config.proxy_url = None; // one of the environment, which does not lead to this machine
    config
        .headers
        .push((USER_AGENT, HeaderValue::from_static(AGENT)));
    Ok(config)
}

fn connect(config: kube::Config) -> Result<kube::Client> {
    kube::Client::try_from(config).context("cannot make a client for the cluster")
}
