//! The servers that a cluster is made of: found where the user has them, else built from their
//! Go modules into the cache, keyed by version, so that a warm start builds nothing.

mod build;
pub mod definitions;
mod go;

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::paths;
use crate::progress::say;

/// A program that the cluster needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// Kubernetes' own controllers.
    KubeControllerManager,
    /// What places pods on nodes.
    KubeScheduler,
    /// What runs the pods of a node.
    Kubelet,
    /// What makes Services reachable on a node.
    KubeProxy,
    /// The cluster's DNS server.
    CoreDns,
    /// The source of the figures that autoscalers go by.
    MetricsServer,
    /// The command line client.
    Kubectl,
    /// The Prometheus server.
    Prometheus,
    /// Prometheus' tool for rules, formats and queries.
    Promtool,
    /// The single-node server of `VictoriaMetrics`, which speaks Prometheus' query API its own way.
    VictoriaMetrics,
    /// NATS with `JetStream`, the queue between the bot's gateway and workers.
    NatsServer,
}

impl Tool {
    /// Every tool, in the order in which a build takes them: what is quick first.
    pub const ALL: [Self; 13] = [
        Self::NatsServer,
        Self::Etcd,
        Self::VictoriaMetrics,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubelet,
        Self::KubeProxy,
        Self::Kubectl,
        Self::CoreDns,
        Self::MetricsServer,
        Self::Prometheus,
        Self::Promtool,
    ];

    /// What a cluster and a Prometheus are started from.
    pub const SERVERS: [Self; 4] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::Prometheus,
    ];

    /// What a node, and all that only nodes have use for, is started from.
    pub const NODE: [Self; 5] = [
        Self::KubeScheduler,
        Self::Kubelet,
        Self::KubeProxy,
        Self::CoreDns,
        Self::MetricsServer,
    ];

    /// The name of the executable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Kubectl => "kubectl",
            Self::CoreDns => "coredns",
            Self::MetricsServer => "metrics-server",
            Self::Prometheus => "prometheus",
            Self::Promtool => "promtool",
            Self::VictoriaMetrics => "victoria-metrics",
            Self::NatsServer => "nats-server",
        }
    }

    /// The executable if it is there already: in `KUBEBUILDER_ASSETS` (the convention of
    /// envtest), on the `PATH` (kubectl only, whose version hardly matters), or in the cache.
    pub fn find(self) -> Result<Option<PathBuf>> {
        if let Some(assets) = env::var_os("KUBEBUILDER_ASSETS") {
            let path = Path::new(&assets).join(self.name());
            if path.is_file() {
                return Ok(Some(path));
            }
        }
        if self == Self::Kubectl
            && let Some(path) = on_path(self.name())
        {
            return Ok(Some(path));
        }
        let path = self.cached()?;
        Ok(path.is_file().then_some(path))
    }

    /// The executable, built first if it is nowhere yet.
    pub async fn find_or_build(self) -> Result<PathBuf> {
        if let Some(path) = self.find()? {
            return Ok(path);
        }
        let _lock = lock_builds().await?;
        // another process may have built it while this one waited
        match self.find()? {
            Some(path) => Ok(path),
            None => build::build(self, &self.cached()?).await,
        }
    }

    fn cached(self) -> Result<PathBuf> {
        let file = format!("{}-{}", self.name(), build::recipe(self).version);
        Ok(paths::cache()?.join("bin").join(file))
    }
}

/// Finds or builds several tools, one after the other.
pub async fn find_or_build_all(tools: &[Tool]) -> Result<Vec<(Tool, PathBuf)>> {
    let mut found = Vec::with_capacity(tools.len());
    for tool in tools {
        found.push((*tool, tool.find_or_build().await?));
    }
    Ok(found)
}

/// Finds an executable on the `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// One build at a time on a machine: two would only slow each other down, or do the same work.
async fn lock_builds() -> Result<File> {
    let folder = paths::cache()?.join("bin");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join(".lock");
    let lock = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => return Ok(lock),
        Err(TryLockError::WouldBlock) => {
            say("another process is building the cluster's servers: waiting for it");
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).context("cannot lock the cache of servers");
        }
    }
    tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await?
        .context("cannot lock the cache of servers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_go_modules() {
        for tool in Tool::ALL {
            let recipe = build::recipe(tool);
            let manifest = paths::go_modules().join(recipe.module).join("go.mod");
            let text = fs::read_to_string(&manifest).unwrap();
            let provided = text.lines().any(|line| {
                let mut words = line.trim().split(' ').skip_while(|word| *word == "require");
                words
                    .next()
                    .is_some_and(|module| recipe.package.starts_with(module))
                    && words.next() == Some(recipe.version)
            });
            assert!(
                provided,
                "{} has another version of {} than {}",
                manifest.display(),
                tool.name(),
                recipe.version
            );
            assert!(
                text.contains(recipe.package),
                "{} lacks {}",
                manifest.display(),
                recipe.package
            );
        }
    }
}
