//! An operator that another one leads: its watches run and fill the stores, and nothing else is done.
//! How it gets its turn, and how it hands it on.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::events::{Event, EventType};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::error::call;
use super::watches::{Changes, Scope, Triggers};
use crate::election::{Elector, Lost};

/// How long what is under way may take after SIGTERM. A pod has thirty seconds, and the Lease is to be
/// released within them.
const DRAIN: Duration = Duration::from_secs(15);

/// Waits until this operator acts and the scope's policies can be read, and has each reconciled then. False
/// where it is stopped before: `kube`'s controller heeds no stop before its store has had its first list.
///
/// Meanwhile the watches go on, which fills the stores; what they tell of is not acted on. Nothing is lost
/// by that: each policy is looked at as a whole when the turn comes.
pub async fn wait_for_turn(
    context: &Context,
    scope: &Scope,
    triggers: &mut Triggers,
    stop: &CancellationToken,
) -> bool {
    let turn = async {
        if context.leadership.is_elected() {
            context.leadership.until_leading().await;
        }
        // An error means that the writer is gone: we are stopping.
        let _ = scope.policies.wait_until_ready().await;
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return false,
        () = turn => {}
        () = only_fill_stores(triggers) => return false,
    }
    for policy in scope.policies.state() {
        context.kick_object(ObjectRef::from_obj(policy.as_ref()));
    }
    true
}

async fn only_fill_stores(triggers: &mut Triggers) {
    tokio::join!(
        pass_over(&mut triggers.policies),
        pass_over(&mut triggers.config_maps),
        pass_over(&mut triggers.deployments),
        pass_over(&mut triggers.stateful_sets),
        pass_over(&mut triggers.autoscalers),
    );
}

async fn pass_over<K>(changes: &mut Changes<K>) {
    while let Some(change) = changes.next().await {
        if let Err(err) = change {
            watch_failed(&err);
        }
    }
}

fn watch_failed(err: &watcher::Error) {
    tracing::warn!(error = %err, "a watch failed and is started again");
}

/// Waits for the controllers to finish what is under way. With an election there is a bound to it, since
/// the next leader waits. False where it was reached.
pub async fn drained<T>(
    controllers: impl Future<Output = T>,
    context: &Context,
    stop: &CancellationToken,
) -> bool {
    let overdue = async {
        stop.cancelled().await;
        if !context.leadership.is_elected() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        _ = controllers => true,
        () = overdue => {
            tracing::warn!("not everything could be finished: the next leader waits until the lease is out");
            false
        }
    }
}

/// This operator's part in the election, in a task of its own: nothing that the operator does may keep it
/// from renewing. Without an election it is nothing.
pub struct Candidacy(Option<JoinHandle<Result<(), Lost>>>);

impl Candidacy {
    /// Begins once every watch has had its first list: who cannot see the cluster does not want to lead it.
    pub fn begin(
        context: &Arc<Context>,
        elector: Option<Elector>,
        resign: &CancellationToken,
    ) -> Self {
        Self(elector.map(|elector| {
            tokio::spawn(announce(
                Arc::clone(context),
                elector.reference(),
                elector.identity(),
            ));
            let (context, resign) = (Arc::clone(context), resign.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = context.wait_until_ready() => elector.run(resign).await,
                    () = resign.cancelled() => Ok(()),
                }
            })
        }))
    }

    /// Waits until the leadership is lost.
    pub async fn lost(&mut self) -> anyhow::Error {
        match &mut self.0 {
            None => std::future::pending().await,
            Some(task) => match task.await {
                Ok(Err(lost)) => lost.into(),
                Ok(Ok(())) => anyhow::anyhow!("the election ended"),
                Err(died) => anyhow::anyhow!("the election ended: {died}"),
            },
        }
    }

    /// Waits until the Lease has been given back.
    ///
    /// # Errors
    ///
    /// Where the leadership was lost meanwhile.
    pub async fn end(self) -> anyhow::Result<()> {
        match self.0 {
            None => Ok(()),
            Some(task) => Ok(task.await??),
        }
    }
}

/// An Event about the Lease, as other controllers publish it. Losing it is no harm.
async fn announce(
    context: Arc<Context>,
    lease: k8s_openapi::api::core::v1::ObjectReference,
    identity: String,
) {
    context.leadership.until_leading().await;
    let event = Event {
        type_: EventType::Normal,
        reason: "LeaderElection".to_owned(),
        note: Some(format!("{identity} became leader")),
        action: "Lead".to_owned(),
        secondary: None,
    };
    if let Err(err) = call(context.recorder.publish(&event, &lease)).await {
        tracing::warn!(error = %err, "the Event about the new leader could not be published");
    }
}
