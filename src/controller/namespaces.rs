//! The labels of namespaces, for sources that choose by them: watched, metadata only, from when the
//! first such source is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::utils::PredicateConfig;
use kube::runtime::watcher;
use kube::runtime::{WatchStreamExt, predicates};
use kube::{Api, Client, ResourceExt};

use super::kept::{Changed, Keeper, State, Told};
use super::rewatch::{self, Pauses};
use super::secrets;

/// Under this name all of them are kept.
const ALL: &str = "";

/// Keeps the labels of all namespaces.
pub struct Namespaces(Keeper<Labels>);

type Labels = Store<PartialObjectMeta<Namespace>>;

impl Namespaces {
    /// Watches nothing yet. A change is told with the namespace's name; `None` where it may be any.
    pub fn new(client: Client, changed: Changed<Option<String>>) -> Self {
        Self(Keeper::new(move |_, told| {
            follow(client.clone(), told, Arc::clone(&changed)).boxed()
        }))
    }

    /// The labels of a namespace.
    ///
    /// # Errors
    ///
    /// Why they are not known.
    pub fn labels(&self, namespace: &str) -> Result<BTreeMap<String, String>, String> {
        match self.0.get(ALL) {
            State::Known(labels) => Ok(labels
                .get(&ObjectRef::new(namespace))
                .map(|namespace| namespace.labels().clone())
                .unwrap_or_default()),
            State::Failed(why) => Err(why),
            State::Unread => Err("they have not been read yet".to_owned()),
        }
    }

    /// Waits until labels are known or cannot be, but not for long.
    pub async fn settled(&self) {
        self.0.settled(ALL).await;
    }

    /// Ends the watch where no source needs it.
    pub fn keep(&self, needed: bool) {
        let names = needed.then_some(ALL).into_iter().collect();
        self.0.retain(&names);
    }
}

async fn follow(client: Client, told: Told<Labels>, changed: Changed<Option<String>>) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
    let (labels, writer) = reflector::store();
    let events = rewatch::watcher(api, watcher::Config::default())
        .backoff(Pauses::default())
        .modify(prune)
        .reflect(writer)
        .touched_objects()
        .predicate_filter(predicates::labels, PredicateConfig::default());
    let mut events = std::pin::pin!(events);
    let ready = labels.wait_until_ready().fuse();
    let mut ready = std::pin::pin!(ready);
    let mut known = false;
    loop {
        tokio::select! {
            // what the first list holds is no change
            _ = &mut ready, if !known => {
                known = true;
                told.known(labels.clone());
                changed(None, true);
            }
            event = events.next() => match event {
                Some(Ok(namespace)) if known => changed(Some(namespace.name_any()), true),
                Some(Ok(_)) => {}
                Some(Err(err)) => {
                    tracing::warn!(error = %err, "the watch of Namespaces failed and is started again");
                    if told.failed_unless_known(secrets::why(&err)) {
                        changed(None, true);
                    }
                }
                None => return,
            }
        }
    }
}

fn prune(namespace: &mut PartialObjectMeta<Namespace>) {
    namespace.metadata.managed_fields = None;
    namespace.metadata.annotations = None;
}
