//! Flags straight from the API server, by a watch on the one `ConfigMap`: they arrive at once.
//!
//! Needs `get`, `list` and `watch` on that one name.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};

use super::{FlagStore, Source};

/// Offers the object at each change, for ever; a lost connection is taken up again with back-off.
pub(crate) async fn follow(
    client: Client,
    namespace: Option<String>,
    name: String,
    store: Arc<FlagStore>,
) {
    let api: Api<ConfigMap> = match namespace {
        Some(namespace) => Api::namespaced(client, &namespace),
        None => Api::default_namespaced(client),
    };
    let mut objects = watcher::watch_object(api, &name).default_backoff().boxed();
    while let Some(event) = objects.next().await {
        match event {
            Ok(Some(object)) => store.offer(Source::Watch, Some(&object.data.unwrap_or_default())),
            Ok(None) => store.offer(Source::Watch, None),
            Err(error) => {
                tracing::warn!(%error, configmap = name, "watch of the flags; the last good ones stay");
            }
        }
    }
}
