//! What another operator did until a moment ago, read from the API server itself.
//!
//! A standby's stores may lag the last leader's last writes, and nothing says how far: an idle watch looks
//! like one that is behind. To begin from them would be to restore a level that is no longer the one
//! published. So each policy that is new to this process is read again, with the workloads it moves, and the
//! others of its namespace are held against a list, since one of them may hold what it names: reads
//! made after the Lease was acquired, of which the API server promises that they are consistent. That costs
//! one GET per policy and workload and one list per namespace, once, 16 at a time; listing each kind anew costs all of a cluster's
//! workloads, of which policies name few, and waiting for the watches' bookmarks takes a minute.
//! (`ConfigMap`s are read by GET before each plan anyway.)

mod rivals;

pub use rivals::Listed;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::api::Api;

use super::context::Context;
use super::error::{ApiError, call};
use super::understand::key;
use super::{autoscalers, observe, release, workloads};
use crate::api::BotDegradationPolicy;
use crate::policy::Workload;
use crate::prometheus::poller::PolicyKey;

/// How long a policy waits for the watches of its workloads. One that is behind for longer may not work at
/// all, or what it watches changes all the time: every write is fenced by its version anyway.
const PATIENCE: Duration = Duration::from_secs(30);

/// Since when each policy has waited for the watches of its workloads.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<PolicyKey, Instant>>);

impl Waiting {
    /// Whether a policy has waited for long enough; it begins to where it did not.
    fn is_over(&self, key: &PolicyKey, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *all.entry(key.clone()).or_insert(now);
        now.saturating_duration_since(since) >= PATIENCE
    }

    /// A policy waits no more.
    pub fn end(&self, key: &PolicyKey) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(key);
    }
}

/// A policy as it is now, where another operator may have acted on it; `None` where it is gone.
///
/// # Errors
///
/// `Changed` where the watch of its workloads or of other policies is behind, for a while: it is tried again soon.
pub async fn read_again(
    context: &Context,
    object: BotDegradationPolicy,
) -> Result<Option<BotDegradationPolicy>, ApiError> {
    let key = key(&object);
    let known = |standing: &mut super::standing::Standing| {
        Some(&standing.uid) == object.metadata.uid.as_ref()
    };
    if !context.leadership.is_elected() || context.standings.with(&key, known) == Some(true) {
        return Ok(Some(object));
    }
    let api: Api<BotDegradationPolicy> = Api::namespaced(context.client.clone(), &key.namespace);
    let Some(object) = call(api.get_opt(&key.name)).await? else {
        release::forget(context, &key);
        return Ok(None);
    };
    match are_seen(context, &key, &object).await {
        Ok(()) => {}
        Err(ApiError::Changed) if context.waiting.is_over(&key, Instant::now()) => {
            tracing::warn!(
                namespace = key.namespace,
                policy = key.name,
                "the watches of its workloads or of other policies are still behind after {PATIENCE:?}: it goes on with what they tell"
            );
        }
        Err(err) => return Err(err),
    }
    context.waiting.end(&key);
    Ok(Some(object))
}

async fn are_seen(
    context: &Context,
    key: &PolicyKey,
    object: &BotDegradationPolicy,
) -> Result<(), ApiError> {
    for workload in moved_by(object) {
        unless_forbidden(is_seen(context, &key.namespace, &workload).await)?;
    }
    for (workload, autoscaler) in bounded_by(object) {
        let seen = is_autoscaler_seen(context, &key.namespace, &workload, autoscaler).await;
        unless_forbidden(seen)?;
    }
    unless_forbidden(rivals::are_seen(context, key).await)
}

/// What may not be read cannot be compared either, and waiting cures it not: the plan says what is missing,
/// and a policy that is deleted is let go in the end.
fn unless_forbidden(seen: Result<(), ApiError>) -> Result<(), ApiError> {
    match seen {
        Err(ApiError::Forbidden(words)) => {
            tracing::warn!(
                error = words,
                "what another operator wrote cannot be compared with a watch"
            );
            Ok(())
        }
        seen => seen,
    }
}

/// The workloads that a policy names or holds a baseline of.
fn moved_by(object: &BotDegradationPolicy) -> BTreeSet<Workload> {
    let named = object
        .spec
        .levels
        .iter()
        .flat_map(|level| level.scale.iter().flatten());
    let named = named.map(|scale| (scale.kind, scale.name.clone()));
    let held = object.status.iter().flat_map(|status| &status.baseline);
    let held = held.map(|baseline| (baseline.kind, baseline.name.clone()));
    named
        .chain(held)
        .map(|(kind, name)| Workload { kind, name })
        .collect()
}

/// The autoscalers whose bounds a policy holds, each with its workload.
fn bounded_by(object: &BotDegradationPolicy) -> impl Iterator<Item = (Workload, &str)> {
    let held = object.status.iter().flat_map(|status| &status.baseline);
    held.filter_map(|baseline| {
        let workload = Workload {
            kind: baseline.kind,
            name: baseline.name.clone(),
        };
        let autoscaler = baseline.autoscaler.as_ref()?;
        Some((workload, autoscaler.name.as_str()))
    })
}

/// Whether the watch has come as far as the API server.
async fn is_seen(context: &Context, namespace: &str, workload: &Workload) -> Result<(), ApiError> {
    let now = workloads::get(&context.client, namespace, workload).await?;
    let seen = context
        .scope(namespace)
        .and_then(|scope| workloads::find(scope, namespace, workload));
    compare(
        now.map(|now| now.resource_version),
        seen.map(|seen| seen.resource_version),
    )
}

async fn is_autoscaler_seen(
    context: &Context,
    namespace: &str,
    workload: &Workload,
    name: &str,
) -> Result<(), ApiError> {
    let now = autoscalers::get(&context.client, namespace, name).await?;
    let seen = context
        .scope(namespace)
        .map(|scope| autoscalers::find(scope, namespace, workload, Some(name)))
        .unwrap_or_default();
    let seen = seen.into_iter().find(|hpa| hpa.name == name);
    compare(
        now.map(|now| now.resource_version),
        seen.map(|seen| seen.resource_version),
    )
}

/// Whether what the watch has seen is as new as what the API server has now.
fn compare(now: Option<String>, seen: Option<String>) -> Result<(), ApiError> {
    let behind = match (now, seen) {
        (None, None) => false,
        (Some(now), Some(seen)) => observe::older(&seen, &now),
        _ => true,
    };
    if behind {
        Err(ApiError::Changed)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> PolicyKey {
        PolicyKey {
            namespace: "bots".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_watch_that_stays_behind_is_not_waited_for_for_ever() {
        let (waiting, start) = (Waiting::default(), Instant::now());
        assert!(!waiting.is_over(&key("a"), start));
        let almost = start + PATIENCE.saturating_sub(Duration::from_millis(1));
        assert!(!waiting.is_over(&key("a"), almost));
        assert!(
            !waiting.is_over(&key("b"), start + PATIENCE),
            "each by itself"
        );
        assert!(waiting.is_over(&key("a"), start + PATIENCE));
        waiting.end(&key("a"));
        assert!(!waiting.is_over(&key("a"), start + PATIENCE));
    }

    #[test]
    fn what_may_not_be_read_holds_nobody_up() {
        let forbidden = ApiError::Forbidden("no get on deployments".to_owned());
        assert!(unless_forbidden(Err(forbidden)).is_ok());
        let behind = unless_forbidden(compare(Some("12".to_owned()), Some("11".to_owned())));
        assert!(matches!(behind, Err(ApiError::Changed)));
    }
}
