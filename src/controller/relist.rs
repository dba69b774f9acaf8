//! What a new list no longer holds. `kube`'s watcher begins anew with a list where it has lost track, and
//! tells of what is there; what went meanwhile leaves the store without a word, and nobody would look at the
//! policies that name it.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};

/// Tells of what is not in a new list as deleted, right after the list. `known` is the store that is filled
/// further down with what comes out here, so that it still holds what was there before.
pub fn with_vanished<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    known: Store<K>,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static
where
    K: Resource<DynamicType: Clone + Debug + Default + Eq + Hash + Send + Sync>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let mut listed = HashSet::new();
    events.flat_map(move |event| {
        let vanished = match &event {
            Ok(Event::Init) => {
                listed.clear();
                Vec::new()
            }
            Ok(Event::InitApply(object)) => {
                listed.insert(ObjectRef::from_obj(object));
                Vec::new()
            }
            Ok(Event::InitDone) => vanished(&known, &std::mem::take(&mut listed)),
            Ok(Event::Apply(_) | Event::Delete(_)) | Err(_) => Vec::new(),
        };
        let deleted = vanished.into_iter().map(|object| Ok(Event::Delete(object)));
        futures::stream::iter(std::iter::once(event).chain(deleted))
    })
}

fn vanished<K>(known: &Store<K>, listed: &HashSet<ObjectRef<K>>) -> Vec<K>
where
    K: Resource<DynamicType: Clone + Debug + Default + Eq + Hash> + Clone + 'static,
{
    let known = known.state();
    let gone = known
        .iter()
        .filter(|object| !listed.contains(&ObjectRef::from_obj(object.as_ref())));
    gone.map(|object| object.as_ref().clone()).collect()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::ResourceExt as _;
    use kube::runtime::WatchStreamExt as _;
    use kube::runtime::reflector::store::Writer;

    use super::*;

    fn deployment(namespace: &str, name: &str) -> Deployment {
        let mut deployment = Deployment::default();
        deployment.metadata.namespace = Some(namespace.to_owned());
        deployment.metadata.name = Some(name.to_owned());
        deployment
    }

    fn list(names: &[(&str, &str)]) -> Vec<Event<Deployment>> {
        let items = names
            .iter()
            .map(|(namespace, name)| deployment(namespace, name));
        std::iter::once(Event::Init)
            .chain(items.map(Event::InitApply))
            .chain([Event::InitDone])
            .collect()
    }

    fn deleted(all: &[Event<Deployment>]) -> Vec<String> {
        let gone = all.iter().filter_map(|event| match event {
            Event::Delete(object) => Some(object),
            _ => None,
        });
        gone.map(|object| {
            format!(
                "{}/{}",
                object.namespace().unwrap_or_default(),
                object.name_any()
            )
        })
        .collect()
    }

    /// Plays events through the adaptor and a store, as the watches do.
    async fn play(events: Vec<Event<Deployment>>) -> (Vec<Event<Deployment>>, usize) {
        let writer = Writer::default();
        let store = writer.as_reader();
        let events = futures::stream::iter(events.into_iter().map(Ok));
        let told = with_vanished(events, store.clone()).reflect(writer);
        let told: Vec<_> = told.try_collect().await.expect("no error");
        (told, store.state().len())
    }

    #[tokio::test]
    async fn what_a_new_list_lacks_is_told_after_it() {
        let lists = [
            list(&[("a", "w"), ("a", "v"), ("b", "w")]),
            list(&[("a", "v"), ("a", "new")]),
        ];
        let (told, left) = play(lists.concat()).await;
        assert_eq!(left, 2);
        let mut gone = deleted(&told);
        gone.sort();
        assert_eq!(gone, ["a/w", "b/w"]);
        let done = told
            .iter()
            .rposition(|event| matches!(event, Event::InitDone));
        let first = told
            .iter()
            .position(|event| matches!(event, Event::Delete(_)));
        assert!(done < first, "the store is as the list by then: {told:?}");
    }

    #[tokio::test]
    async fn a_list_that_is_the_same_or_not_finished_tells_of_nothing() {
        let whole = list(&[("a", "w"), ("a", "v")]);
        let half = whole[..2].to_vec();
        let (told, left) = play([whole.clone(), half, whole].concat()).await;
        assert_eq!((deleted(&told), left), (Vec::new(), 2));
    }

    #[tokio::test]
    async fn what_was_deleted_before_the_list_is_not_told_again() {
        let before = [
            list(&[("a", "w"), ("a", "v")]),
            vec![Event::Delete(deployment("a", "w"))],
            list(&[("a", "v")]),
        ];
        let (told, _) = play(before.concat()).await;
        assert_eq!(deleted(&told), ["a/w"]);
    }
}
