//! What every part of the controller shares.

use jiff::Timestamp;
use kube::Client;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{mpsc, watch};

use super::sources::Sources;
use super::standing::Standings;
use super::takeover::{Listed, Waiting};
use super::watches::{Guarded, Scope};
use crate::election::Leadership;
use crate::metrics::Metrics;
use crate::prometheus::poller::PolicyKey;
use crate::time::Time;

/// What every part of the controller shares.
pub struct Context {
    /// The API server's client.
    pub client: Client,
    /// What is watched, by scope.
    pub scopes: Vec<ScopeHandle>,
    /// Where each policy stands.
    pub standings: Standings,
    /// The sources and their pollers.
    pub sources: Sources,
    /// Publishes Events.
    pub recorder: Recorder,
    /// Our own metrics.
    pub metrics: Metrics,
    /// Whether every watch has had its first list, but for namespaces that cannot be read.
    pub ready: watch::Sender<bool>,
    /// When this process began.
    pub started: Time,
    /// Whether this operator acts.
    pub leadership: Leadership,
    /// Policies that another operator may have acted on, and whose watches are behind.
    pub waiting: Waiting,
    /// The policies as they were when this operator's turn came.
    pub listed: Listed,
}

/// A scope and the way to have one of its policies reconciled.
pub struct ScopeHandle {
    /// The scope.
    pub scope: Scope,
    /// References sent here are reconciled soon.
    pub kick: mpsc::UnboundedSender<ObjectRef<Guarded>>,
}

impl Context {
    /// Has a policy reconciled soon.
    pub fn kick(&self, key: &PolicyKey) {
        self.kick_object(ObjectRef::new(&key.name).within(&key.namespace));
    }

    /// The same, by reference.
    pub fn kick_object(&self, policy: ObjectRef<Guarded>) {
        if let Some(handle) = policy
            .namespace
            .as_deref()
            .and_then(|namespace| self.handle(namespace))
        {
            // A closed channel means that we are stopping.
            let _ = handle.kick.send(policy);
        }
    }

    /// The scope of a namespace.
    pub fn scope(&self, namespace: &str) -> Option<&Scope> {
        self.handle(namespace).map(|handle| &handle.scope)
    }

    fn handle(&self, namespace: &str) -> Option<&ScopeHandle> {
        self.scopes
            .iter()
            .find(|handle| handle.scope.covers(namespace))
    }

    /// Whether every watch has had its first list, but for namespaces that cannot be read.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Awaits the watches' first lists; those of a namespace that cannot be read are not waited for.
    pub async fn wait_until_ready(&self) {
        // The sender is ours, so it cannot be gone.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Awaits the first lists of all that a namespace's policies refer to: an empty store is no empty cluster.
    pub async fn wait_until_listed(&self, namespace: &str) {
        self.wait_until_ready().await;
        if let Some(scope) = self.scope(namespace) {
            scope.wait_until_ready().await;
        }
    }

    /// The present, for the shell: the core is handed its time.
    #[allow(clippy::unused_self)] // one way to the clock: through what the shell hands around
    pub fn now(&self) -> Time {
        Time::from(Timestamp::now())
    }
}
