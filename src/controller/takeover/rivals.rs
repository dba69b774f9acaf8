//! The other policies of a namespace, at a takeover. Who holds a target or a flags `ConfigMap` is told from
//! all policies that name it, and those come from the watch, which may not have seen the last leader's last
//! writes: a baseline, or a policy that was made just before. So before a policy's first write the watch has
//! to have come as far as a list that was made since: metadata only, and one for all policies of a namespace.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use tokio::sync::{Mutex, OnceCell};

use super::super::context::Context;
use super::super::error::{ApiError, call};
use super::super::watches::Scope;
use super::compare;
use crate::api::BotDegradationPolicy;
use crate::prometheus::poller::PolicyKey;

/// The version of each policy, by its name.
type Versions = BTreeMap<String, String>;

/// A list that the watch has not come up to is made again after so long: it may be the older one by now.
const STALE: Duration = Duration::from_secs(1);

/// The policies of each namespace as they were when the turn came, or later.
#[derive(Debug, Default)]
pub struct Listed(Mutex<HashMap<String, Arc<List>>>);

#[derive(Debug)]
struct List {
    versions: OnceCell<Versions>,
    begun: Instant,
}

impl Listed {
    /// The list of a namespace, which all its policies share.
    async fn of(&self, namespace: &str) -> Arc<List> {
        let mut all = self.0.lock().await;
        let new = || {
            Arc::new(List {
                versions: OnceCell::new(),
                begun: Instant::now(),
            })
        };
        Arc::clone(all.entry(namespace.to_owned()).or_insert_with(new))
    }

    /// Has the namespace listed again, where this list is not of now.
    async fn outdated(&self, namespace: &str, list: &Arc<List>) {
        let mut all = self.0.lock().await;
        let same = all
            .get(namespace)
            .is_some_and(|kept| Arc::ptr_eq(kept, list));
        if same && list.begun.elapsed() >= STALE {
            all.remove(namespace);
        }
    }
}

/// Whether the watch has come as far as the API server, as to all policies but this one.
///
/// # Errors
///
/// `Changed` where it is behind.
pub async fn are_seen(context: &Context, key: &PolicyKey) -> Result<(), ApiError> {
    let Some(scope) = context.scope(&key.namespace) else {
        return Ok(());
    };
    let PolicyKey { namespace, name } = key;
    are_seen_in(&context.listed, &context.client, scope, namespace, name).await
}

async fn are_seen_in(
    listed: &Listed,
    client: &Client,
    scope: &Scope,
    namespace: &str,
    but: &str,
) -> Result<(), ApiError> {
    let list = listed.of(namespace).await;
    let ask = || list_versions(client, scope, namespace);
    let versions = list.versions.get_or_try_init(ask).await?;
    let seen = behind(versions, &seen_in(scope, namespace), but);
    if seen.is_err() {
        listed.outdated(namespace, &list).await;
    }
    seen
}

async fn list_versions(
    client: &Client,
    scope: &Scope,
    namespace: &str,
) -> Result<Versions, ApiError> {
    let api: Api<BotDegradationPolicy> = Api::namespaced(client.clone(), namespace);
    let selected = ListParams {
        label_selector: scope.selector.clone(),
        ..ListParams::default()
    };
    let listed = call(api.list_metadata(&selected)).await?;
    Ok(versions(listed.items.iter()))
}

fn seen_in(scope: &Scope, namespace: &str) -> Versions {
    let all = scope.policies.state();
    let here = all
        .iter()
        .filter(|policy| policy.namespace().as_deref() == Some(namespace));
    versions(here.map(AsRef::as_ref))
}

fn versions<'a, K: kube::Resource + 'a>(all: impl Iterator<Item = &'a K>) -> Versions {
    all.map(|policy| {
        (
            policy.name_any(),
            policy.resource_version().unwrap_or_default(),
        )
    })
    .collect()
}

fn behind(listed: &Versions, seen: &Versions, but: &str) -> Result<(), ApiError> {
    let names = listed.keys().chain(seen.keys());
    for name in names.filter(|name| *name != but) {
        compare(listed.get(name).cloned(), seen.get(name).cloned())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
