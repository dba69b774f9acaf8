//! A policy that goes without having handed everything back. What its workloads had before goes with it, so it
//! is told once more.

use kube::{Resource, ResourceExt};

use super::context::Context;
use super::events;
use super::standing::Notice;
use crate::api::Baseline;

/// Tells of it, in the log and by an Event.
pub async fn tell<K>(context: &Context, object: &K, why: &str, held: &[Baseline])
where
    K: Resource<DynamicType = ()>,
{
    let before = before(held);
    tracing::error!(
        namespace = object.namespace(),
        policy = object.name_any(),
        before,
        "let go without having handed everything back: {why}"
    );
    let note = match before.as_str() {
        "" => format!("let go without having handed everything back: {why}"),
        // First what is nowhere else: a note has its bounds.
        before => {
            format!("let go without having handed everything back. Before: {before}. Why: {why}")
        }
    };
    let notice = Notice {
        warning: true,
        reason: "RestoreIncomplete",
        action: "LetGo".to_owned(),
        note,
    };
    events::publish(context, object, vec![notice]).await;
}

/// What the workloads had, for a person who gives it back by hand.
fn before(held: &[Baseline]) -> String {
    let all: Vec<String> = held.iter().map(of_one).collect();
    all.join("; ")
}

fn of_one(held: &Baseline) -> String {
    let Baseline {
        kind,
        name,
        replicas,
        ..
    } = held;
    let workload = format!("{kind} {name}: replicas {replicas}");
    let autoscaler = held.autoscaler.as_ref().map(|it| {
        let (name, least, most) = (&it.name, it.min_replicas.unwrap_or(1), it.max_replicas);
        format!("HorizontalPodAutoscaler {name}: {least} to {most}")
    });
    let scaled_object = held.scaled_object.as_ref().map(|it| {
        let at = it.paused_replicas.as_deref();
        let paused = at.map_or("not paused".to_owned(), |at| format!("paused at {at}"));
        format!("ScaledObject {}: {paused}", it.name)
    });
    let all: Vec<String> = [Some(workload), autoscaler, scaled_object]
        .into_iter()
        .flatten()
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AutoscalerBaseline, ScaledObjectBaseline};

    #[test]
    fn what_is_to_be_given_back_by_hand_is_all_there() {
        let held = [
            Baseline {
                name: "w".to_owned(),
                replicas: 2,
                autoscaler: Some(AutoscalerBaseline {
                    name: "x".to_owned(),
                    min_replicas: Some(2),
                    max_replicas: 6,
                }),
                ..Baseline::default()
            },
            Baseline {
                name: "v".to_owned(),
                replicas: 1,
                scaled_object: Some(ScaledObjectBaseline {
                    name: "y".to_owned(),
                    paused_replicas: None,
                }),
                ..Baseline::default()
            },
        ];
        assert_eq!(
            before(&held),
            "Deployment w: replicas 2, HorizontalPodAutoscaler x: 2 to 6; \
             Deployment v: replicas 1, ScaledObject y: not paused"
        );
        assert_eq!(before(&[]), "");
    }
}
