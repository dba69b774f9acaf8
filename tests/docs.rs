//! The documents tell of what is there: every reason, every class, every field, and no file that is not.

#![cfg(feature = "operator")]
#![allow(clippy::panic)] // a failing test panics

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use brownout::api::conditions as c;
use brownout::api::crd::crds;
use brownout::decide::Unknown;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).expect("a document")
}

#[test]
fn each_reason_of_not_ready_has_a_row_and_each_row_a_reason() {
    let reasons = BTreeSet::from([
        c::INVALID_SPEC,
        c::QUERY_REFUSED,
        c::QUERY_REJECTED,
        c::SOURCE_NOT_FOUND,
        c::SOURCE_NOT_ALLOWED,
        c::CONFIG_MAP_NOT_OWNED,
        c::TARGET_NOT_FOUND,
        c::TARGET_CONFLICT,
        c::TARGET_CONTESTED,
        c::TARGET_UNREADABLE,
        c::WRITE_FAILED,
        c::FORBIDDEN,
    ]);
    let text = read("docs/operations.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert_eq!(documented, reasons);
}

#[test]
fn each_class_of_unknown_is_named() {
    let text = read("docs/metrics.md");
    for class in Unknown::ALL {
        let word = format!("`{}`", class.as_str());
        assert!(text.contains(&word), "{word} is not in docs/metrics.md");
    }
}

#[test]
fn each_field_of_a_policy_is_explained() {
    let text = read("docs/policy.md");
    let crd = serde_json::to_value(&crds()[0]).expect("a definition");
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let fields = crd
        .pointer(spec)
        .and_then(|fields| fields.as_object())
        .expect("the spec");
    for field in fields.keys() {
        let explained =
            text.contains(&format!("`{field}`")) || text.contains(&format!("`{field}."));
        assert!(explained, "{field} is not in docs/policy.md");
    }
}

#[test]
fn files_that_are_named_exist() {
    let folders = ["docs/", "manifests/", "src/", "bot/", "crds/"];
    for document in fs::read_dir(root().join("docs")).expect("docs/") {
        let text = read(document.expect("an entry").path());
        let words = text.split(|c: char| !(c.is_alphanumeric() || "/_.-".contains(c)));
        for word in words.map(|word| word.trim_end_matches('.')) {
            if folders.iter().any(|folder| word.starts_with(folder)) {
                assert!(root().join(word).exists(), "{word} does not exist");
            }
        }
    }
}
