//! A namespace that cannot be read (yet): its policies wait, those of other namespaces do not.

use std::time::Duration;

use futures::future::join_all;
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};

use super::context::Context;
use super::error::ApiError;
use super::release::PATIENCE;
use super::watches::{Guarded, Scope};
use super::{finalizer, incomplete};
use crate::api::FINALIZER;
use crate::time::Time;

/// How long one attempt waits; the next one sees the policy anew.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How long the operator waits for namespaces that cannot be read, while the cluster as such can.
const OTHERS: Duration = Duration::from_secs(10);

/// Awaits the first lists of all namespaces. Where they are named one by one, those that cannot be read are
/// not waited for: one that has taken the operator's rights away must not keep it from the others.
pub async fn wait_for_scopes(context: &Context) {
    let scopes = context.scopes.iter().map(|handle| &handle.scope);
    let named = scopes.clone().all(|scope| scope.namespace.is_some());
    let all = join_all(scopes.map(Scope::wait_until_ready));
    if !named {
        all.await;
    } else if tokio::time::timeout(OTHERS, all).await.is_err() {
        tracing::error!(
            "some of --namespaces cannot be read, the others are looked after: see the failed watches for \
             what is refused, and bind the ClusterRole brownout there"
        );
        return;
    }
    tracing::info!("every watch has had its first list");
}

/// Awaits the first lists of all that a policy refers to. `None` means that they are there, anything else is
/// what to do instead of reconciling.
///
/// In a namespace that is being deleted they may never come, where the right to them was given by a
/// `RoleBinding` there, which is gone by then. A policy must not hold the namespace up for that.
pub async fn wait(context: &Context, object: &Guarded) -> Option<Result<Action, ApiError>> {
    let namespace = object.namespace().unwrap_or_default();
    if tokio::time::timeout(ATTEMPT, context.wait_until_listed(&namespace))
        .await
        .is_ok()
    {
        return None;
    }
    if !is_overdue(context, object) {
        return Some(Ok(Action::requeue(ATTEMPT)));
    }
    let status = object.0.as_ref().ok().and_then(|it| it.status.as_ref());
    let held = status.map_or(&[][..], |status| &status.baseline);
    incomplete::tell(context, object, "the namespace cannot be read", held).await;
    let removed = finalizer::remove_unread(context, object.meta()).await;
    Some(removed.map(|()| Action::await_change()))
}

/// Counted from this process's start: a policy deleted long before it has had no chance yet.
fn is_overdue(context: &Context, object: &Guarded) -> bool {
    let ours = object.finalizers().iter().any(|name| name == FINALIZER);
    let Some(deleted) = object.meta().deletion_timestamp.as_ref().filter(|_| ours) else {
        return false;
    };
    context.now() - Time::from(deleted.0).max(context.started) > PATIENCE
}
