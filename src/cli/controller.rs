//! `brownout controller`.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args as ClapArgs;
use tokio_util::sync::CancellationToken;

use super::checks;
use super::election::ElectionArgs;
use crate::cluster_client;
use crate::controller::{Options, run as run_controller};
use crate::prometheus::client::{check_url, without_credentials};
use crate::telemetry::{self, LogFormat};

/// Options of `brownout controller`.
#[derive(Debug, ClapArgs)]
#[allow(clippy::doc_markdown)] // the help shows what is written here as it is, backticks too
pub struct Args {
    /// Prometheus to ask, as the source named "default": http://HOST:PORT, with a path where it has one.
    /// A MetricsSource of that name stands over it
    #[arg(long, env = "BROWNOUT_PROMETHEUS_URL", value_name = "URL")]
    prometheus_url: Option<String>,
    /// Where /metrics, /healthz and /readyz are served
    #[arg(
        long,
        env = "BROWNOUT_METRICS_ADDRESS",
        default_value = "0.0.0.0:8080",
        value_name = "IP:PORT"
    )]
    metrics_address: SocketAddr,
    /// Where the live JSON is served, /v1/policies; keep it from tenants by a NetworkPolicy
    #[arg(
        long,
        env = "BROWNOUT_ADMIN_ADDRESS",
        default_value = "0.0.0.0:8081",
        value_name = "IP:PORT"
    )]
    admin_address: SocketAddr,
    /// The namespaces to work in, separated by commas; all where it is not given
    #[arg(
        long,
        env = "BROWNOUT_NAMESPACES",
        value_delimiter = ',',
        value_parser = checks::namespace,
        value_name = "NAMESPACE"
    )]
    namespaces: Vec<String>,
    /// Where the Secrets are that MetricsSources name: the operator's own namespace, which it knows in a pod
    #[arg(long, env = "BROWNOUT_SECRETS_NAMESPACE", value_name = "NAMESPACE")]
    secrets_namespace: Option<String>,
    /// Only policies with these labels, such as shard=a: operators share a cluster by it
    #[arg(
        long,
        env = "BROWNOUT_SELECTOR",
        value_parser = checks::selector,
        value_name = "LABELS"
    )]
    selector: Option<String>,
    /// What is logged, such as warn,brownout=debug: at debug each tick with its readings
    #[arg(
        long,
        env = "RUST_LOG",
        // kube_client would log whole answers that it cannot read, Secrets too; kube_runtime would tell of
        // each watch that is refused a second time, at greater length
        default_value = "warn,brownout=info,kube_client::client=error,kube_runtime::watcher=error",
        value_name = "FILTER"
    )]
    log_filter: String,
    /// How log lines on stderr look
    #[arg(long, env = "BROWNOUT_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    #[command(flatten)]
    election: ElectionArgs,
}

pub(super) const UNUSABLE: &str = "the cluster's configuration cannot be used";

/// Runs the operator until SIGTERM or SIGINT.
pub async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init(args.log_format, &args.log_filter).context("--log-filter cannot be used")?;
    let prometheus_url = args.prometheus_url.filter(|url| !url.is_empty());
    if let Some(url) = &prometheus_url {
        check_url(url).context("--prometheus-url")?;
    }
    let config = kube::Config::infer()
        .await
        .context("no cluster: set KUBECONFIG, or run in a pod")?;
    let client = cluster_client::connect(config.clone())?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let options = Options {
        prometheus_url,
        namespaces: distinct(args.namespaces),
        secrets_namespace: args
            .secrets_namespace
            .filter(|namespace| !namespace.is_empty())
            .or_else(own_namespace),
        selector: args.selector.filter(|labels| !labels.is_empty()),
        metrics_address: args.metrics_address,
        admin_address: args.admin_address,
    };
    let election = args.election.enter(config, &options)?;
    let shown = Options {
        prometheus_url: options.prometheus_url.as_deref().map(without_credentials),
        ..options.clone()
    };
    tracing::info!(
        options = ?shown,
        election = ?election.as_ref().map(|election| &election.settings),
        version = env!("CARGO_PKG_VERSION"),
        "brownout starts"
    );
    run_controller(client, election, options, stop).await?;
    tracing::info!("brownout has stopped");
    Ok(())
}

/// The namespace of the pod that we run in.
fn own_namespace() -> Option<String> {
    let by_variable = std::env::var("POD_NAMESPACE").ok();
    // beside every token that a pod is given
    let by_file =
        || std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace").ok();
    let named = |namespace: String| {
        let namespace = namespace.trim();
        (!namespace.is_empty()).then(|| namespace.to_owned())
    };
    by_variable
        .and_then(named)
        .or_else(|| by_file().and_then(named))
}

/// Templates leave variables empty where they have nothing to say; a name given twice is one.
fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop: what is under way is finished first");
        stop.cancel();
    });
    Ok(())
}
