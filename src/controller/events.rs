//! Events: what happened, where `kubectl describe` shows it. Losing one is no harm: status has it all.

use kube::Resource;
use kube::runtime::events::Event;

use super::context::Context;
use super::error::{ApiError, call};
use super::hand::NoHold;
use super::standing::{Notice, Standing};
use crate::api::BotDegradationPolicy;
use crate::api::conditions::{MAX_MESSAGE, PINNED, READY, condition, cut};
use crate::plan::Refusal;

/// The API server refuses a longer note.
const MAX_NOTE: usize = 1000;

/// Publishes Events about a policy, or about one that cannot be read.
pub async fn publish<K>(context: &Context, object: &K, notices: Vec<Notice>)
where
    K: Resource<DynamicType = ()>,
{
    for notice in notices {
        let event = Event {
            type_: notice.event_type(),
            reason: notice.reason.to_owned(),
            note: Some(cut(&notice.note, MAX_NOTE).to_owned()),
            action: notice.action.clone(),
            secondary: None,
        };
        let result = call(context.recorder.publish(&event, &object.object_ref(&()))).await;
        context.metrics.wrote("event", result.is_ok());
        match result {
            Ok(()) | Err(ApiError::NamespaceTerminating) => {}
            Err(err) => {
                tracing::warn!(error = %err, reason = notice.reason, "an Event could not be published");
            }
        }
    }
}

/// An Event for each refusal that is new: neither among those `before` nor, after a restart, told of by
/// status, whose message may be cut.
pub fn refused(
    object: &BotDegradationPolicy,
    refusals: &[Refusal],
    before: &[Refusal],
) -> Vec<Notice> {
    let told = object
        .status
        .as_ref()
        .and_then(|status| condition(&status.conditions, READY));
    let told = told.map_or("", |ready| ready.message.as_str());
    let new = refusals
        .iter()
        .filter(|refusal| !before.contains(refusal) && !told.contains(&refusal.message));
    new.map(|refusal| Notice {
        warning: true,
        reason: refusal.reason,
        action: "Refuse".to_owned(),
        note: refusal.message.clone(),
    })
    .collect()
}

/// An Event for a pin whose time is over, unless status tells of it already. That is written before the Event is
/// published, so no other reconcile and no other process tells of the same pin again.
pub fn pin_over(
    object: &BotDegradationPolicy,
    standing: &Standing,
    problem: Option<&NoHold>,
) -> Option<Notice> {
    let problem = problem?;
    let pin = problem.over.as_ref()?;
    let status = object.status.as_ref();
    let told = status.and_then(|status| condition(&status.conditions, PINNED));
    let is_told = told.is_some_and(|told| {
        told.reason == problem.reason && told.message == cut(&problem.message, MAX_MESSAGE)
    });
    (!is_told).then(|| Notice {
        warning: false,
        reason: problem.reason,
        // Each pin has a series of its own: the note of the first would stand for all of them.
        action: format!("Unpin{}", pin.until),
        note: format!("{}: {}", pin.over(&standing.policy), standing.course()),
    })
}

#[cfg(test)]
mod tests;
