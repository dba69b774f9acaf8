//! What the controller watches, and which policies each change concerns.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::{Api, PartialObjectMeta};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::utils::PredicateConfig;
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource, ResourceExt};

use super::autoscalers;
use super::relist::with_vanished;
use super::rewatch::{Pauses, guarded, readable, watcher};
use super::sources::Unreadable;
use crate::api::{BotDegradationPolicy, MetricsSource};
use crate::flags::{MANAGED_BY, MANAGED_BY_LABEL};
use crate::policy::{Workload, WorkloadKind};

/// A policy, or why it cannot be read: one bad object must not stop the watch of the others.
pub type Guarded = DeserializeGuard<BotDegradationPolicy>;

/// The part of a cluster that one set of watches covers: all of it, or one namespace. Everything a
/// policy refers to is in its own namespace, so a scope is complete in itself.
#[derive(Clone)]
pub struct Scope {
    /// The namespace; `None` is all.
    pub namespace: Option<String>,
    /// Labels that a policy must have to be ours.
    pub selector: Option<String>,
    /// Policies, as the watch last saw them.
    pub policies: Store<Guarded>,
    /// Deployments, pruned to what scaling needs.
    pub deployments: Store<Deployment>,
    /// `StatefulSets`, pruned likewise.
    pub stateful_sets: Store<StatefulSet>,
    /// `HorizontalPodAutoscalers`, pruned to target and bounds.
    pub autoscalers: Store<HorizontalPodAutoscaler>,
}

/// The five writers behind a scope's stores. That of `ConfigMaps` is asked only for what a new list lacks.
pub struct Writers {
    policies: Writer<Guarded>,
    config_maps: Writer<PartialObjectMeta<ConfigMap>>,
    deployments: Writer<Deployment>,
    stateful_sets: Writer<StatefulSet>,
    autoscalers: Writer<HorizontalPodAutoscaler>,
}

/// A stream of changed objects, deletions included.
pub type Changes<K> = futures::stream::BoxStream<'static, Result<K, watcher::Error>>;

/// The changes that a scope's controller is triggered by.
pub struct Triggers {
    /// Policies.
    pub policies: Changes<Guarded>,
    /// Our own `ConfigMaps`, metadata only.
    pub config_maps: Changes<PartialObjectMeta<ConfigMap>>,
    /// Deployments whose replicas or their owner changed.
    pub deployments: Changes<Deployment>,
    /// `StatefulSets` likewise.
    pub stateful_sets: Changes<StatefulSet>,
    /// `HorizontalPodAutoscalers` whose target, bounds or their owners changed.
    pub autoscalers: Changes<HorizontalPodAutoscaler>,
}

impl Scope {
    /// An empty scope and the writers that fill it.
    pub fn new(namespace: Option<String>, selector: Option<String>) -> (Self, Writers) {
        let writers = Writers {
            policies: Writer::default(),
            config_maps: Writer::default(),
            deployments: Writer::default(),
            stateful_sets: Writer::default(),
            autoscalers: Writer::default(),
        };
        let scope = Self {
            namespace,
            selector,
            policies: writers.policies.as_reader(),
            deployments: writers.deployments.as_reader(),
            stateful_sets: writers.stateful_sets.as_reader(),
            autoscalers: writers.autoscalers.as_reader(),
        };
        (scope, writers)
    }

    /// Whether the scope covers a namespace.
    pub fn covers(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own == namespace)
    }

    /// Starts the watches.
    pub fn watch(&self, client: &Client, writers: Writers) -> Triggers {
        let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
        let selected = watcher::Config {
            label_selector: self.selector.clone(),
            ..Default::default()
        };
        let all = watcher::Config::default();
        let maps = writers.config_maps.as_reader();
        Triggers {
            policies: {
                let events = guarded(self.api(client), selected)
                    .backoff(Pauses::default())
                    // None, not an empty list: that would reset them with the next write.
                    .modify(|policy: &mut Guarded| policy.meta_mut().managed_fields = None);
                with_vanished(events, self.policies.clone())
                    .reflect(writers.policies)
                    .touched_objects()
                    .boxed()
            },
            config_maps: {
                let events = watcher(self.api::<PartialObjectMeta<ConfigMap>>(client), ours)
                    .modify(|map| prune_metadata(&mut map.metadata));
                let events = with_vanished(events, maps).reflect(writers.config_maps);
                relevant(events, |map, hasher| {
                    map.metadata.resource_version.hash(hasher);
                })
            },
            deployments: {
                let events = watcher(self.api(client), all.clone()).modify(prune_deployment);
                scalable(
                    with_vanished(events, self.deployments.clone()).reflect(writers.deployments),
                    |deployment| deployment.spec.as_ref().and_then(|spec| spec.replicas),
                )
            },
            stateful_sets: {
                let events = watcher(self.api(client), all.clone()).modify(prune_stateful_set);
                scalable(
                    with_vanished(events, self.stateful_sets.clone())
                        .reflect(writers.stateful_sets),
                    |set| set.spec.as_ref().and_then(|spec| spec.replicas),
                )
            },
            autoscalers: {
                let events = watcher(self.api(client), all).modify(autoscalers::prune);
                relevant(
                    with_vanished(events, self.autoscalers.clone()).reflect(writers.autoscalers),
                    autoscalers::fingerprint,
                )
            },
        }
    }

    /// Awaits the first list of every store.
    pub async fn wait_until_ready(&self) {
        // An error means that a writer is gone: we are stopping.
        let _ = tokio::join!(
            self.policies.wait_until_ready(),
            self.deployments.wait_until_ready(),
            self.stateful_sets.wait_until_ready(),
            self.autoscalers.wait_until_ready(),
        );
    }

    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        }
    }

    /// The policies of a namespace that could be read.
    pub fn policies_in(&self, namespace: &str) -> Vec<std::sync::Arc<Guarded>> {
        let mut all = self.policies.state();
        all.retain(|policy| policy.0.is_ok() && policy.namespace().as_deref() == Some(namespace));
        all
    }
}

/// The cluster's sources: every change concerns every policy that names it. `None` is a new list, which
/// does not say what is gone.
pub fn sources(
    client: &Client,
    writer: Writer<MetricsSource>,
    unreadable: Unreadable,
) -> futures::stream::BoxStream<'static, Result<Option<MetricsSource>, watcher::Error>> {
    let listed = unreadable.clone();
    guarded(Api::all(client.clone()), watcher::Config::default())
        .inspect_ok(move |event| unreadable.before(event))
        .filter_map(async |event| event.map(readable).transpose())
        .backoff(Pauses::default())
        .reflect(writer)
        .inspect_ok(move |event| listed.after(event))
        .try_filter_map(async |event| {
            Ok(match event {
                Event::Apply(source) | Event::InitApply(source) | Event::Delete(source) => {
                    Some(Some(source))
                }
                Event::InitDone => Some(None),
                Event::Init => None,
            })
        })
        .boxed()
}

/// Only changes of replicas or of their owner concern us, not each step of a rollout.
fn scalable<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    replicas: fn(&K) -> Option<i32>,
) -> Changes<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
{
    relevant(events, move |object: &K, hasher: &mut DefaultHasher| {
        (replicas(object), replicas_owners(object.meta())).hash(hasher);
    })
}

/// Only changes of what is hashed, and deletions, are passed on.
fn relevant<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    hash: impl Fn(&K, &mut DefaultHasher) + Send + 'static,
) -> Changes<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
{
    let relevant = move |object: &K| {
        let mut hasher = DefaultHasher::new();
        let gone = object.meta().resource_version.is_none();
        (object.meta().uid.as_ref(), gone).hash(&mut hasher);
        hash(object, &mut hasher);
        Some(hasher.finish())
    };
    events
        .backoff(Pauses::default())
        .map_ok(mark_deleted)
        .touched_objects()
        .predicate_filter(relevant, PredicateConfig::default())
        .boxed()
}

/// A deletion shows the object as it last was; without its version it differs from that.
fn mark_deleted<K: Resource>(event: Event<K>) -> Event<K> {
    match event {
        Event::Delete(mut object) => {
            object.meta_mut().resource_version = None;
            Event::Delete(object)
        }
        other => other,
    }
}

fn prune_deployment(deployment: &mut Deployment) {
    prune_metadata(&mut deployment.metadata);
    deployment.status = None;
    if let Some(spec) = &mut deployment.spec {
        spec.template = PodTemplateSpec::default();
        spec.selector = LabelSelector::default();
    }
}

fn prune_stateful_set(set: &mut StatefulSet) {
    prune_metadata(&mut set.metadata);
    set.status = None;
    if let Some(spec) = &mut set.spec {
        spec.template = PodTemplateSpec::default();
        spec.selector = LabelSelector::default();
        spec.volume_claim_templates = None;
    }
}

fn prune_metadata(metadata: &mut ObjectMeta) {
    metadata.annotations = None;
    metadata.labels = None;
    if let Some(fields) = &mut metadata.managed_fields {
        fields.retain(|entry| owns_replicas(entry.fields_v1.as_ref().map(|fields| &fields.0)));
        for entry in fields {
            entry.fields_v1 = None;
        }
    }
}

fn owns_replicas(fields: Option<&serde_json::Value>) -> bool {
    fields.is_some_and(|fields| fields.pointer("/f:spec/f:replicas").is_some())
}

/// The field managers that own `spec.replicas`, of a pruned object.
pub fn replicas_owners(metadata: &ObjectMeta) -> Vec<&str> {
    metadata
        .managed_fields
        .iter()
        .flatten()
        .filter_map(|entry| entry.manager.as_deref())
        .collect()
}

/// The field managers that own `spec.replicas`, of an object as the API server sends it.
pub fn prune(metadata: &mut ObjectMeta) {
    prune_metadata(metadata);
}

/// The policies that name a workload.
pub fn policies_naming(
    store: &Store<Guarded>,
    namespace: &str,
    workload: &Workload,
) -> Vec<ObjectRef<Guarded>> {
    policies_where(store, namespace, |policy| {
        let scales = policy
            .spec
            .levels
            .iter()
            .filter_map(|level| level.scale.as_ref())
            .flatten();
        scales
            .into_iter()
            .any(|scale| scale.kind == workload.kind && scale.name == workload.name)
            || policy
                .status
                .iter()
                .flat_map(|status| &status.baseline)
                .any(|b| b.kind == workload.kind && b.name == workload.name)
    })
}

/// The policies that name the workload of an autoscaler, or that hold a baseline of it.
pub fn policies_autoscaled(
    store: &Store<Guarded>,
    autoscaler: &HorizontalPodAutoscaler,
) -> Vec<ObjectRef<Guarded>> {
    let namespace = autoscaler.namespace().unwrap_or_default();
    let mut policies = autoscalers::target(autoscaler)
        .map(|workload| policies_naming(store, &namespace, &workload))
        .unwrap_or_default();
    let name = autoscaler.name_any();
    let recorded = policies_where(store, &namespace, |policy| {
        let baselines = policy.status.iter().flat_map(|status| &status.baseline);
        let mut autoscalers = baselines.filter_map(|b| b.autoscaler.as_ref());
        autoscalers.any(|kept| kept.name == name)
    });
    policies.extend(recorded);
    policies
}

/// The policies whose flags a `ConfigMap` holds.
pub fn policies_publishing(
    store: &Store<Guarded>,
    namespace: &str,
    config_map: &str,
) -> Vec<ObjectRef<Guarded>> {
    policies_where(store, namespace, |policy| {
        super::rivals::config_map_of(policy) == config_map
    })
}

/// The policies that ask a source.
pub fn policies_asking(store: &Store<Guarded>, source: &str) -> Vec<ObjectRef<Guarded>> {
    let asks = |policy: &BotDegradationPolicy| policy.spec.source == source;
    references(store.state().iter(), asks)
}

fn policies_where(
    store: &Store<Guarded>,
    namespace: &str,
    matches: impl Fn(&BotDegradationPolicy) -> bool,
) -> Vec<ObjectRef<Guarded>> {
    let state = store.state();
    references(
        state
            .iter()
            .filter(|policy| policy.namespace().as_deref() == Some(namespace)),
        matches,
    )
}

fn references<'a>(
    policies: impl Iterator<Item = &'a std::sync::Arc<Guarded>>,
    matches: impl Fn(&BotDegradationPolicy) -> bool,
) -> Vec<ObjectRef<Guarded>> {
    policies
        .filter(|policy| policy.0.as_ref().is_ok_and(&matches))
        .map(|policy| ObjectRef::from_obj(policy.as_ref()))
        .collect()
}

/// A changed workload, as policies name it.
pub fn workload(kind: WorkloadKind, name: String) -> Workload {
    Workload { kind, name }
}
