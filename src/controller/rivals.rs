//! Two policies may name one target or one flags `ConfigMap`: who holds it. Pure.

use kube::ResourceExt;

use crate::api::BotDegradationPolicy;
use crate::policy::{Mode, Workload};

/// The name of a policy's flags `ConfigMap`.
pub fn config_map_of(policy: &BotDegradationPolicy) -> String {
    let named = policy
        .spec
        .flags
        .as_ref()
        .and_then(|flags| flags.config_map.clone());
    named.unwrap_or_else(|| format!("{}-flags", policy.name_any()))
}

/// The policy that holds a workload, where that is not `me`. One with a baseline of it holds it, so
/// that nobody takes a number in mid-incident for a baseline; else the older one.
pub fn holder_of_target<'a>(
    me: &BotDegradationPolicy,
    others: impl Iterator<Item = &'a BotDegradationPolicy>,
    workload: &Workload,
) -> Option<String> {
    let mine = (!has_baseline(me, workload), age(me));
    others
        .filter(|other| other.uid() != me.uid() && acts(other))
        .filter(|other| names(other, workload) || has_baseline(other, workload))
        .map(|other| ((!has_baseline(other, workload), age(other)), other))
        .filter(|(rank, _)| *rank < mine)
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, other)| other.name_any())
}

/// The policy that holds the flags `ConfigMap` of `me`, where that is another one. The one whose
/// label it bears holds it; else the older one.
pub fn holder_of_config_map<'a>(
    me: &BotDegradationPolicy,
    others: impl Iterator<Item = &'a BotDegradationPolicy>,
    labelled: Option<&str>,
) -> Option<String> {
    let name = config_map_of(me);
    let rank =
        |policy: &BotDegradationPolicy| (Some(policy.name_any().as_str()) != labelled, age(policy));
    let mine = rank(me);
    others
        .filter(|other| other.uid() != me.uid() && acts(other) && config_map_of(other) == name)
        .map(|other| (rank(other), other))
        .filter(|(rank, _)| *rank < mine)
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, other)| other.name_any())
}

/// A policy that applies nothing holds nothing, once it has handed back what it held.
fn acts(policy: &BotDegradationPolicy) -> bool {
    policy.spec.mode != Mode::DryRun
        || policy
            .status
            .as_ref()
            .is_some_and(|status| !status.baseline.is_empty())
}

fn names(policy: &BotDegradationPolicy, workload: &Workload) -> bool {
    let targets = policy
        .spec
        .levels
        .iter()
        .filter_map(|level| level.scale.as_ref())
        .flatten();
    targets
        .into_iter()
        .any(|target| target.kind == workload.kind && target.name == workload.name)
}

fn has_baseline(policy: &BotDegradationPolicy, workload: &Workload) -> bool {
    let baselines = policy.status.iter().flat_map(|status| &status.baseline);
    baselines
        .into_iter()
        .any(|b| b.kind == workload.kind && b.name == workload.name)
}

fn age(policy: &BotDegradationPolicy) -> (Option<jiff::Timestamp>, String) {
    (
        policy.creation_timestamp().map(|time| time.0),
        policy.name_any(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::WorkloadKind;

    /// A policy made in a second, that names `worker` unless it is told otherwise.
    fn policy(name: &str, second: u32, mode: &str, target: &str) -> BotDegradationPolicy {
        serde_json::from_value(json!({
            "apiVersion": "brownout.dev/v1alpha1",
            "kind": "BotDegradationPolicy",
            "metadata": {
                "name": name, "namespace": "bots", "uid": name,
                "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
            },
            "spec": {
                "mode": mode,
                "signals": [{"name": "s", "query": "max(up)"}],
                "flags": {"configMap": "shared"},
                "levels": [{
                    "name": "one",
                    "when": {"any": [{"signal": "s", "above": "1"}]},
                    "scale": [{"name": target, "replicas": 0}],
                }],
            },
        }))
        .unwrap()
    }

    fn with_baseline(mut policy: BotDegradationPolicy) -> BotDegradationPolicy {
        let mut status = policy.status.unwrap_or_default();
        status.baseline.push(crate::api::Baseline {
            name: "worker".to_owned(),
            ..Default::default()
        });
        policy.status = Some(status);
        policy
    }

    #[test]
    fn a_target_is_held_by_who_has_its_baseline_else_by_the_older() {
        let me = policy("m", 5, "Enforce", "worker");
        let older = policy("z", 4, "Enforce", "worker");
        let younger = policy("a", 6, "Enforce", "worker");
        let twin = policy("a", 5, "Enforce", "worker");
        let elsewhere = policy("z", 4, "Enforce", "other");
        let dry = policy("z", 4, "DryRun", "worker");
        for (name, me, others, holder) in [
            ("alone", &me, vec![&me], None),
            ("older", &me, vec![&younger, &older, &me], Some("z")),
            ("younger", &me, vec![&younger], None),
            ("as old, by name", &me, vec![&twin], Some("a")),
            ("names another", &me, vec![&elsewhere], None),
            ("applies nothing", &me, vec![&dry], None),
            (
                "applies nothing, but holds",
                &me,
                vec![&with_baseline(dry.clone())],
                Some("z"),
            ),
            (
                "younger, mid-incident",
                &me,
                vec![&with_baseline(younger.clone())],
                Some("a"),
            ),
            (
                "names it no more, but holds",
                &me,
                vec![&with_baseline(elsewhere.clone())],
                Some("z"),
            ),
            (
                "mine mid-incident",
                &with_baseline(me.clone()),
                vec![&older],
                None,
            ),
            (
                "both",
                &with_baseline(me.clone()),
                vec![&with_baseline(older.clone())],
                Some("z"),
            ),
        ] {
            let workload = Workload {
                kind: WorkloadKind::Deployment,
                name: "worker".to_owned(),
            };
            let found = holder_of_target(me, others.into_iter(), &workload);
            assert_eq!(found.as_deref(), holder, "{name}");
        }
    }

    #[test]
    fn a_config_map_is_held_by_whose_label_it_bears_else_by_the_older() {
        let me = policy("m", 5, "Enforce", "worker");
        let older = policy("z", 4, "Enforce", "worker");
        let younger = policy("a", 6, "Enforce", "worker");
        let dry = policy("z", 4, "DryRun", "worker");
        for (name, other, labelled, holder) in [
            ("older", &older, None, Some("z")),
            ("younger", &younger, None, None),
            ("younger, but labelled", &younger, Some("a"), Some("a")),
            ("older, but mine", &older, Some("m"), None),
            (
                "labelled for one that is gone",
                &older,
                Some("x"),
                Some("z"),
            ),
            ("applies nothing", &dry, Some("z"), None),
        ] {
            let found = holder_of_config_map(&me, [other].into_iter(), labelled);
            assert_eq!(found.as_deref(), holder, "{name}");
        }
        let mut unnamed = me;
        unnamed.spec.flags = None;
        assert_eq!(config_map_of(&unnamed), "m-flags");
    }
}
