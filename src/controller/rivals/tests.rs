use super::*;
use crate::api::{Baseline, BotDegradationPolicyStatus};
use crate::policy::WorkloadKind;

/// A policy in a line: its name, the second it was made in, and what else there is to say of it:
/// `dry`, `scales`, `holds` (a baseline) or `map=<name>`.
fn policy(line: &str) -> BotDegradationPolicy {
    let mut words = line.split(' ');
    let (name, second) = (words.next().unwrap(), words.next().unwrap());
    let words: Vec<&str> = words.collect();
    let scale = if words.contains(&"scales") {
        "[{name: worker, replicas: 0}]"
    } else {
        "[{name: other, replicas: 0}]"
    };
    let mode = if words.contains(&"dry") {
        "DryRun"
    } else {
        "Enforce"
    };
    let map = words.iter().find_map(|word| word.strip_prefix("map="));
    let flags = map.map_or(String::new(), |map| format!("flags: {{configMap: {map}}}"));
    let yaml = format!(
        "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {{name: {name}, uid: {name}, creationTimestamp: '2026-01-01T00:00:{second}Z'}}
spec:
  mode: {mode}
  signals: [{{name: a, query: max(a)}}]
  levels: [{{name: shed, when: {{any: [{{signal: a, above: '1'}}]}}, scale: {scale}}}]
  {flags}
"
    );
    let mut policy: BotDegradationPolicy = serde_saphyr::from_str(&yaml).unwrap();
    if words.contains(&"holds") {
        let baseline = Baseline {
            name: "worker".to_owned(),
            ..Baseline::default()
        };
        policy.status = Some(BotDegradationPolicyStatus {
            baseline: vec![baseline],
            ..BotDegradationPolicyStatus::default()
        });
    }
    policy
}

#[test]
fn one_policy_holds_a_target() {
    let worker = Workload {
        kind: WorkloadKind::Deployment,
        name: "worker".to_owned(),
    };
    for (why, me, other, holder) in [
        ("nobody else", "b 20 scales", "b 20 scales", None),
        ("the older", "b 20 scales", "a 10 scales", Some("a")),
        ("we are the older", "b 20 scales", "a 30 scales", None),
        (
            "of one second: the first by name",
            "b 20 scales",
            "a 20 scales",
            Some("a"),
        ),
        ("and we, by name", "b 20 scales", "c 20 scales", None),
        ("it names another target", "b 20 scales", "a 10", None),
        (
            "who has a baseline",
            "b 20 scales",
            "c 30 scales holds",
            Some("c"),
        ),
        (
            "a baseline though it names it no more",
            "b 20 scales",
            "c 30 holds",
            Some("c"),
        ),
        ("we have one", "b 20 scales holds", "a 10 scales", None),
        (
            "both have one: the older",
            "b 20 scales holds",
            "a 10 scales holds",
            Some("a"),
        ),
        (
            "a dry run holds nothing",
            "b 20 scales",
            "a 10 scales dry",
            None,
        ),
        (
            "unless it has yet to hand back",
            "b 20 scales",
            "a 10 scales dry holds",
            Some("a"),
        ),
    ] {
        let (me, other) = (policy(me), policy(other));
        let found = holder_of_target(&me, [&me, &other].into_iter(), &worker);
        assert_eq!(found.as_deref(), holder, "{why}");
    }
}

#[test]
fn one_policy_holds_a_config_map() {
    for (why, me, other, labelled, holder) in [
        ("each has its own", "b 20", "a 10", None, None),
        ("the older", "b 20 map=x", "a 10 map=x", None, Some("a")),
        (
            "the one it is labelled with",
            "b 20 map=x",
            "c 30 map=x",
            Some("c"),
            Some("c"),
        ),
        (
            "labelled with us",
            "b 20 map=x",
            "a 10 map=x",
            Some("b"),
            None,
        ),
        (
            "labelled with one that is gone",
            "b 20 map=x",
            "a 10 map=x",
            Some("z"),
            Some("a"),
        ),
        (
            "its default name is our choice",
            "b 20 map=a-flags",
            "a 10",
            None,
            Some("a"),
        ),
        (
            "a dry run publishes nothing",
            "b 20 map=x",
            "a 10 map=x dry",
            None,
            None,
        ),
    ] {
        let (me, other) = (policy(me), policy(other));
        let found = holder_of_config_map(&me, [&me, &other].into_iter(), labelled);
        assert_eq!(found.as_deref(), holder, "{why}");
    }
}
