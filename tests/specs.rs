//! The operator's own check against the specs that a real API server judges in the end-to-end
//! tests: both must take and refuse the same ones, and say so in the same words.

#![cfg(feature = "operator")]
#![allow(clippy::panic)] // a failing test panics

#[path = "../e2e/fixtures/crd/rows.rs"]
mod rows;

use brownout::api::{BotDegradationPolicy, BotDegradationPolicySpec};
use brownout::policy::{Policy, Violation, from_spec};
use serde_json::Value;

fn spec(policy: &Value) -> Result<BotDegradationPolicySpec, serde_json::Error> {
    serde_json::from_value(policy["spec"].clone())
}

fn check(policy: &Value) -> Result<Policy, Vec<Violation>> {
    let name = policy["metadata"]["name"].as_str().expect("a name");
    from_spec(
        "bots",
        name,
        &spec(policy).expect("a spec that the types take"),
    )
}

#[test]
fn good_specs_are_understood() {
    let good = rows::good();
    assert!(good.len() >= 10);
    for (file, policy) in good {
        let checked = check(&policy);
        let read = checked.unwrap_or_else(|violations| panic!("{file}: {violations:?}"));
        assert_eq!(read.states.len(), read.levels.len() + 1, "{file}");
    }
}

#[test]
fn a_policy_reads_the_same_from_yaml_as_from_the_api_server() {
    for (file, policy) in rows::good() {
        let path = format!(
            "{}/e2e/fixtures/crd/good/{file}",
            env!("CARGO_MANIFEST_DIR")
        );
        let yaml = std::fs::read_to_string(path).expect("a file");
        let read: BotDegradationPolicy = serde_saphyr::from_str(&yaml).expect(&file);
        assert_eq!(read.spec, spec(&policy).expect("a spec"), "{file}");
    }
}

#[test]
fn bad_specs_are_refused_with_the_field_and_what_to_write() {
    let bad = rows::bad();
    assert!(bad.len() >= 65);
    for (row, policy) in bad.into_iter().filter(|(row, _)| !row.schema) {
        let violations = check(&policy).expect_err(&row.name);
        let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
        let text = lines.join("\n");
        for words in &row.says {
            assert!(
                text.contains(words),
                "{}: no {words:?} in\n{text}",
                row.name
            );
        }
    }
}

#[test]
fn a_bad_spec_gives_one_violation_unless_one_causes_another() {
    for (row, policy) in rows::bad().into_iter().filter(|(row, _)| !row.schema) {
        let violations = check(&policy).expect_err(&row.name);
        assert!(violations.len() <= 2, "{}: {violations:#?}", row.name);
    }
}

#[test]
fn every_violation_is_named_at_once() {
    let (_, mut policy) = rows::good().swap_remove(2);
    policy["spec"]["interval"] = "0s".into();
    policy["spec"]["signals"][0]["latency"]["quantile"] = "1".into();
    policy["spec"]["levels"][2]["when"]["any"][1]["signal"] = "nope".into();
    policy["spec"]["missing"]["then"] = "nope".into();
    let violations = check(&policy).expect_err("four violations");
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    let expected = [
        "spec.interval",
        "spec.signals[0].latency.quantile",
        "spec.levels[2].when.any[1].signal",
        "spec.missing.then",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn most_of_what_the_types_refuse_never_gets_to_the_check() {
    for (row, policy) in rows::bad().into_iter().filter(|(row, _)| row.schema) {
        // unknown fields pass: an older operator must be able to read a newer policy
        let unknown = row
            .server
            .iter()
            .any(|words| words.contains("unknown field"));
        assert!(unknown || spec(&policy).is_err(), "{}", row.name);
    }
}
