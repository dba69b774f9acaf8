//! Every policy that asks a source is reconciled when the source changes, or what the source needs does.

use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use tokio::sync::mpsc;

use super::grants::{Change, audience_of, secrets_of, selects};
use crate::api::MetricsSource;
use crate::controller::context::Context;
use crate::controller::watches;

/// Follows until the watch of sources ends.
pub async fn follow(
    context: &Context,
    writer: Writer<MetricsSource>,
    mut changes: mpsc::UnboundedReceiver<Change>,
) {
    let mut sources = watches::sources(
        &context.client,
        writer,
        context.sources.unreadable().clone(),
    );
    loop {
        tokio::select! {
            source = sources.next() => match source {
                // with its turn come, an operator looks at every policy anyway
                Some(Ok(_)) if !context.leadership.is_leading() => {}
                Some(Ok(None)) => {
                    context.sources.let_go_of_unneeded();
                    kick_all(context);
                }
                Some(Ok(Some(source))) => {
                    context.sources.let_go_of_unneeded();
                    kick_askers(context, &source.name_any());
                }
                Some(Err(err)) => tracing::warn!(error = %err, "the watch of MetricsSources failed and is started again"),
                None => return,
            },
            Some(change) = changes.recv() => {
                // first what is asked already: a new token is not to wait for anything
                context.sources.renew();
                concerned(context, &change);
            }
        }
    }
}

fn concerned(context: &Context, change: &Change) {
    let needs: Box<dyn Fn(&MetricsSource) -> bool> = match change {
        Change::Secret(name) => {
            Box::new(move |source| secrets_of(source).any(|named| named == name))
        }
        Change::Token(audience) => Box::new(move |source| audience_of(source) == Some(audience)),
        Change::NewerToken => return,
        Change::Namespace(None) => Box::new(selects),
        Change::Namespace(Some(namespace)) => return kick_all_in(context, namespace),
    };
    let sources = context.sources.store().state();
    for source in sources.iter().filter(|source| needs(source)) {
        kick_askers(context, &source.name_any());
    }
}

fn kick_askers(context: &Context, source: &str) {
    for handle in &context.scopes {
        for policy in watches::policies_asking(&handle.scope.policies, source) {
            // a closed channel means that we are stopping
            let _ = handle.kick.send(policy);
        }
    }
}

/// What a new list no longer holds is told by nothing else.
fn kick_all(context: &Context) {
    for handle in &context.scopes {
        for policy in handle.scope.policies.state() {
            let _ = handle.kick.send(ObjectRef::from_obj(policy.as_ref()));
        }
    }
}

fn kick_all_in(context: &Context, namespace: &str) {
    for handle in context.scopes.iter().filter(|h| h.scope.covers(namespace)) {
        for policy in handle.scope.policies_in(namespace) {
            let _ = handle.kick.send(ObjectRef::from_obj(policy.as_ref()));
        }
    }
}
