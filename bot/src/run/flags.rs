//! Where flags come from, and who follows them.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Given;
use crate::config::FlagsConfig;
#[cfg(feature = "openfeature")]
use crate::flags::follow_openfeature;
use crate::flags::{FlagStore, Source, follow_directory};

pub(super) fn sources(config: &FlagsConfig, given: &Given) -> Vec<Source> {
    let directory = config.dir.as_ref().map(|_| Source::Directory);
    #[cfg(feature = "watch")]
    let watch = config.configmap.as_ref().map(|_| Source::Watch);
    #[cfg(not(feature = "watch"))]
    let watch = None;
    #[cfg(feature = "openfeature")]
    let provider = given.openfeature.as_ref().map(|_| Source::OpenFeature);
    #[cfg(not(feature = "openfeature"))]
    let (Given {}, provider) = (given, None);
    [directory, watch, provider].into_iter().flatten().collect()
}

#[cfg_attr(not(feature = "watch"), allow(clippy::unused_async))] // only a client is made asynchronously
pub(super) async fn follow(
    config: &FlagsConfig,
    given: Given,
    flags: &Arc<FlagStore>,
) -> anyhow::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    #[cfg(feature = "openfeature")]
    if let Some(client) = given.openfeature {
        let flags = Arc::clone(flags);
        tasks.spawn(follow_openfeature(client, config.interval, flags));
    }
    #[cfg(not(feature = "openfeature"))]
    let Given {} = given;
    if let Some(dir) = config.dir.clone() {
        let flags = Arc::clone(flags);
        tasks.spawn(follow_directory(dir, config.interval, flags));
    }
    #[cfg(feature = "watch")]
    if let Some(name) = config.configmap.clone() {
        use anyhow::Context;
        // reads the kubeconfig or the pod's account; it does not connect, so a bot starts without a cluster
        let client = kube::Client::try_default()
            .await
            .context("no cluster to watch the flags in")?;
        let namespace = config.namespace.clone();
        tasks.spawn(crate::flags::follow_watch(
            client,
            namespace,
            name,
            Arc::clone(flags),
        ));
    }
    Ok(tasks)
}
