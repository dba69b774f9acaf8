//! The Secrets that sources name, of the operator's own namespace: each watched by its name alone, so
//! that no other is ever sent to us, and a Role can name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use kube::{Api, Client};

use super::kept::{Changed, Keeper, Told};
use super::rewatch::{Pauses, watch_object};

/// The content of a Secret; `None` where there is none of that name.
pub type Content = Option<Arc<Data>>;

/// Key and value. It has no `Debug`, so that it cannot be logged by accident.
pub struct Data(BTreeMap<String, ByteString>);

impl Data {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(|value| value.0.as_slice())
    }
}

/// Keeps Secrets of a namespace.
pub fn keeper(client: Client, namespace: &str, changed: Changed<String>) -> Keeper<Content> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    Keeper::new(move |name, told| follow(api.clone(), name, told, Arc::clone(&changed)).boxed())
}

async fn follow(api: Api<Secret>, name: String, told: Told<Content>, changed: Changed<String>) {
    let mut versions = watch_object(api, &name).backoff(Pauses::default()).boxed();
    while let Some(version) = versions.next().await {
        match version {
            Ok(secret) => {
                let data = secret.map(|secret| Arc::new(Data(secret.data.unwrap_or_default())));
                told.known(data);
                changed(name.clone(), true);
            }
            Err(err) => {
                tracing::warn!(secret = name, error = %err, "the watch of a Secret failed and is started again");
                if told.failed_unless_known(why(&err)) {
                    changed(name.clone(), true);
                }
            }
        }
    }
}

/// What a watch's failure means to a person, without words that change by themselves.
pub fn why(err: &watcher::Error) -> String {
    use watcher::Error;
    let (Error::InitialListFailed(source)
    | Error::WatchStartFailed(source)
    | Error::WatchFailed(source)) = err
    else {
        return "the API server gives no answer that can be used".to_owned();
    };
    refused(source)
}

/// The same for a request.
pub fn refused(err: &kube::Error) -> String {
    match err {
        kube::Error::Api(status) if status.code == 403 => {
            "the operator has no right to it: apply manifests/base, which has the Roles".to_owned()
        }
        kube::Error::Api(status) => format!("the API server answers {}", status.code),
        _ => "the API server gives no answer that can be used".to_owned(),
    }
}
