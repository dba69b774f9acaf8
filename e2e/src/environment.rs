//! A cluster and a Prometheus together, as the demo, the tests and the benchmarks need them.

use std::sync::Arc;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::paths;
use crate::progress::Progress;
use crate::prometheus::{self, Prometheus};
use crate::run_dir::RunDir;
use crate::tools::{Tool, find_or_build_all};

/// Everything that runs for one run.
pub struct Environment {
    /// The cluster; the CRDs of the checkout are installed.
    pub cluster: Cluster,
    /// A Prometheus without targets.
    pub prometheus: Prometheus,
    /// The run's folder: its logs, and the way to end everything.
    pub run: Arc<RunDir>,
}

impl Environment {
    /// Builds what is missing and starts all, showing progress.
    pub async fn start(run: Arc<RunDir>) -> Result<Self> {
        Self::start_either(run, false).await
    }

    /// As [`Environment::start`], with a node that runs pods.
    pub async fn start_with_node(run: Arc<RunDir>) -> Result<Self> {
        find_or_build_all(&Tool::NODE).await?;
        Self::start_either(run, true).await
    }

    async fn start_either(run: Arc<RunDir>, with_node: bool) -> Result<Self> {
        find_or_build_all(&Tool::SERVERS).await?;
        let progress = Progress::start(if with_node {
            "starting the cluster, its node and Prometheus"
        } else {
            "starting the cluster and Prometheus"
        });
        let result = Self::boot(run, with_node).await;
        match &result {
            Ok(_) => progress.finish(),
            Err(_) => progress.fail(),
        }
        result
    }

    async fn boot(run: Arc<RunDir>, with_node: bool) -> Result<Self> {
        let options = prometheus::Options::new("prometheus");
        let (cluster, prometheus) = tokio::try_join!(
            Self::cluster(Arc::clone(&run), with_node),
            Prometheus::start(Arc::clone(&run), &options),
        )?;
        Ok(Self {
            cluster,
            prometheus,
            run,
        })
    }

    async fn cluster(run: Arc<RunDir>, with_node: bool) -> Result<Cluster> {
        let cluster = if with_node {
            Cluster::start_with_node(run).await?
        } else {
            Cluster::start(run).await?
        };
        let crds = paths::checkout().join("crds");
        if crds.is_dir() {
            cluster.install_crds(&crds).await?;
        }
        Ok(cluster)
    }

    /// Ends everything and removes what it stored. There is nothing worth a graceful end in it.
    pub fn stop(&self) {
        self.run.clean();
    }
}
