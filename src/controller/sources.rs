//! Sources and their pollers: which policy asks which, started when first asked for, replaced when
//! their `MetricsSource` changes. Credentials and authorities are not part of that: a poller is handed
//! new ones as it goes on.

mod follow;
mod grants;
mod unreadable;

pub use follow::follow;
pub use grants::Grants;
pub use unreadable::Unreadable;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;

use crate::api::{MetricsSource, conditions};
use crate::plan::Refusal;
use crate::policy::parse_duration;
use crate::prometheus::access::Access;
use crate::prometheus::client::BadSource;
use crate::prometheus::clock::SystemClock;
use crate::prometheus::metrics::PollerMetrics;
use crate::prometheus::poller::{
    PolicyKey, Poller, PollerEvent, PollerHandle, Subscription, SubscriptionId,
};
use crate::prometheus::source::Source;
use crate::prometheus::tenancy::Tenant;
use crate::time::{Span, Time};

/// The source that a policy asks when it names none.
pub const DEFAULT_SOURCE: &str = "default";

/// Sources and their pollers.
pub struct Sources {
    /// Every `MetricsSource`.
    store: Store<MetricsSource>,
    /// `--prometheus-url`: the implicit source named `default`.
    default_url: Option<String>,
    unreadable: Unreadable,
    grants: Grants,
    events: mpsc::Sender<PollerEvent>,
    metrics: PollerMetrics,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    running: HashMap<String, Running>,
    policies: HashMap<PolicyKey, Subscribed>,
}

struct Running {
    source: Source,
    poller: PollerHandle,
}

struct Subscribed {
    source: Source,
    subscription: Subscription,
    id: SubscriptionId,
    poller: PollerHandle,
}

impl Subscribed {
    fn end(self, key: &PolicyKey) {
        self.poller.unsubscribe(key);
    }
}

impl Inner {
    /// Ends the pollers that no policy asks: neither at its ticks nor for its past. Their series end
    /// with them, once nothing is under way any more.
    fn end_unasked(&mut self) {
        self.running.retain(|_, running| running.poller.is_shared());
    }
}

impl Sources {
    /// No poller runs yet.
    pub fn new(
        store: Store<MetricsSource>,
        default_url: Option<String>,
        grants: Grants,
        events: mpsc::Sender<PollerEvent>,
        metrics: PollerMetrics,
    ) -> Self {
        Self {
            store,
            default_url,
            unreadable: Unreadable::default(),
            grants,
            events,
            metrics,
            inner: Mutex::default(),
        }
    }

    /// Whose series the policies of a namespace may read at a source: nobody's in particular where it
    /// has no tenancy, or is not there.
    pub fn tenant(&self, name: &str, namespace: &str) -> Result<Option<Tenant>, Refusal> {
        self.unreadable.refuse(name)?;
        let object = self.store.get(&ObjectRef::new(name));
        let tenancy = object.as_ref().and_then(|o| o.spec.tenancy.as_ref());
        let tenant = tenancy.map(|tenancy| Tenant::new(&tenancy.label, namespace));
        tenant.transpose().map_err(|wrong| Refusal {
            reason: conditions::SOURCE_NOT_FOUND,
            message: format!(
                "the MetricsSource {name} cannot be asked: spec.tenancy.label {wrong}"
            ),
        })
    }

    /// The poller for a policy's source, started where it does not run yet. Only what was understood
    /// for `tenant` may be asked there.
    pub fn poller(
        &self,
        name: &str,
        namespace: &str,
        tenant: Option<&Tenant>,
    ) -> Result<PollerHandle, Refusal> {
        let (source, access) = self.resolve(name, namespace)?;
        same_tenancy(&source, tenant)?;
        self.running(&mut self.lock(), source, access)
    }

    /// Subscribes a policy, whose queries were understood for `tenant`; with nothing changed, nothing
    /// happens.
    pub fn subscribe(
        &self,
        key: &PolicyKey,
        name: &str,
        subscription: Subscription,
        tenant: Option<&Tenant>,
    ) -> Result<SubscriptionId, Refusal> {
        let (source, access) = self.resolve(name, &key.namespace)?;
        same_tenancy(&source, tenant)?;
        let mut inner = self.lock();
        let poller = self.running(&mut inner, source.clone(), access)?;
        let asked = inner
            .policies
            .get(key)
            .filter(|s| s.source == source && s.subscription == subscription);
        if let Some(same) = asked {
            return Ok(same.id);
        }
        if let Some(old) = inner.policies.remove(key) {
            old.end(key);
        }
        let id = poller.subscribe(key.clone(), subscription.clone());
        inner.policies.insert(
            key.clone(),
            Subscribed {
                source,
                subscription,
                id,
                poller,
            },
        );
        inner.end_unasked();
        Ok(id)
    }

    /// Waits until what a source needs besides its own object is known or cannot be had, but not for
    /// long.
    pub async fn settled(&self, name: &str) {
        if let Some(object) = self.store.get(&ObjectRef::new(name)) {
            self.grants.settled(&object).await;
        }
    }

    /// Hands the credentials and authorities of now to all that is asked. A source that lacks them is
    /// left as it is: its policies are told, and leave it.
    pub fn renew(&self) {
        for (name, running) in &self.lock().running {
            let Some(object) = self.store.get(&ObjectRef::new(name)) else {
                continue;
            };
            if let Ok(access) = self.grants.access(&object) {
                // an error is told to the policies as well
                let _ = running.poller.set_access(access);
            }
        }
    }

    /// Ends the watches for what no source needs any more.
    pub fn let_go_of_unneeded(&self) {
        self.grants.retain(&self.store.state());
    }

    /// The sources that are there and cannot be read.
    pub fn unreadable(&self) -> &Unreadable {
        &self.unreadable
    }

    /// Every `MetricsSource`, as the watch has it.
    pub fn store(&self) -> &Store<MetricsSource> {
        &self.store
    }

    /// Ends a policy's subscription, where it has one. A poller that nobody asks any more ends too.
    pub fn unsubscribe(&self, key: &PolicyKey) {
        let mut inner = self.lock();
        if let Some(old) = inner.policies.remove(key) {
            old.end(key);
        }
        inner.end_unasked();
    }

    /// Ends the pollers that nobody asks any more, after a policy's past has been asked for.
    pub fn end_unasked(&self) {
        self.lock().end_unasked();
    }

    /// Asks for one extra tick of one policy.
    pub fn ask_at(&self, key: &PolicyKey, at: Time) {
        if let Some(subscribed) = self.lock().policies.get(key) {
            subscribed.poller.ask_at(key, at);
        }
    }

    fn running(
        &self,
        inner: &mut Inner,
        source: Source,
        access: Access,
    ) -> Result<PollerHandle, Refusal> {
        let name = source.name.clone();
        let refuse = |bad: BadSource| Refusal {
            reason: conditions::SOURCE_NOT_FOUND,
            message: format!("the source {name} cannot be asked: {bad}"),
        };
        if let Some(running) = inner
            .running
            .get(&source.name)
            .filter(|running| running.source == source)
        {
            running.poller.set_access(access).map_err(refuse)?;
            return Ok(running.poller.clone());
        }
        let spawned = Poller::spawn(
            source.clone(),
            access,
            self.events.clone(),
            self.metrics.clone(),
            SystemClock,
        );
        let poller = spawned.map_err(refuse)?;
        inner.running.insert(
            name,
            Running {
                source,
                poller: poller.clone(),
            },
        );
        Ok(poller)
    }

    /// A real `MetricsSource` stands over `--prometheus-url`.
    fn resolve(&self, name: &str, namespace: &str) -> Result<(Source, Access), Refusal> {
        self.unreadable.refuse(name)?;
        match self.store.get(&ObjectRef::new(name)) {
            Some(object) => self.granted(&object, namespace),
            None => match &self.default_url {
                Some(url) if name == DEFAULT_SOURCE => {
                    Ok((Source::new(DEFAULT_SOURCE, url), Access::default()))
                }
                _ => Err(Refusal {
                    reason: conditions::SOURCE_NOT_FOUND,
                    message: not_found(name),
                }),
            },
        }
    }

    fn granted(
        &self,
        object: &MetricsSource,
        namespace: &str,
    ) -> Result<(Source, Access), Refusal> {
        let refuse = |message: String| Refusal {
            reason: conditions::SOURCE_NOT_ALLOWED,
            message,
        };
        if !self.grants.allows(object, namespace).map_err(refuse)? {
            return Err(refuse(format!(
                "the MetricsSource {} does not allow the namespace {namespace}: \
                 ask its owner to allow it in spec.allowedNamespaces, or name another in spec.source",
                object.name_any()
            )));
        }
        let access = self.grants.access(object).map_err(|message| Refusal {
            reason: conditions::SOURCE_NOT_FOUND,
            message,
        })?;
        Ok((understood(object), access))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn understood(object: &MetricsSource) -> Source {
    let spec = &object.spec.prometheus;
    let mut source = Source::new(object.name_any(), &spec.url);
    source.timeout = parse_duration(&spec.timeout).unwrap_or(Span::from_secs(5));
    source.evaluation_delay = parse_duration(&spec.evaluation_delay).unwrap_or(Span::ZERO);
    source.tenancy = object.spec.tenancy.as_ref().map(|t| t.label.clone());
    source.headers = pairs(&spec.headers);
    source.query_params = pairs(&spec.query_params);
    source.max_concurrent_queries = usize::try_from(object.spec.max_concurrent_queries)
        .unwrap_or(1)
        .max(1);
    source
}

/// A source whose tenancy has changed since a policy's queries were understood is not asked for them;
/// that change has the policy reconciled, and understood anew.
fn same_tenancy(source: &Source, tenant: Option<&Tenant>) -> Result<(), Refusal> {
    if source.tenancy.as_deref() == tenant.map(Tenant::label) {
        return Ok(());
    }
    Err(Refusal {
        reason: conditions::SOURCE_NOT_ALLOWED,
        message: format!(
            "the MetricsSource {} has changed spec.tenancy: the queries are being checked again",
            source.name
        ),
    })
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn not_found(name: &str) -> String {
    if name == DEFAULT_SOURCE {
        "there is no MetricsSource \"default\" and the operator runs without --prometheus-url: \
         create the one or set the other"
            .to_owned()
    } else {
        format!("there is no MetricsSource {name:?}: create it, or name another in spec.source")
    }
}

#[cfg(test)]
mod tests;
