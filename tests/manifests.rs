//! The manifests are what they claim to be: every field is one that Kubernetes, or Brownout, knows.

#![cfg(feature = "operator")]
#![allow(clippy::panic)] // a failing test panics

use std::fs;
use std::path::{Path, PathBuf};

use brownout::api::{BotDegradationPolicy, MetricsSource};
use brownout::policy::from_spec;
use brownout::prometheus::signals::signal_queries;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Every YAML file beneath a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            all.push(path);
        }
    }
    all.sort();
    all
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    serde_saphyr::from_multiple(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// Reads a document as its type and back: what the type does not know is lost on the way.
fn known<T: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(document.clone()).map_err(|err| err.to_string())?;
    let back = serde_json::to_value(typed).map_err(|err| err.to_string())?;
    kept(document, &back, "")
}

/// Whether everything in `written` is in `read`, which may hold defaults as well.
fn kept(written: &Value, read: &Value, at: &str) -> Result<(), String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            written.iter().try_for_each(|(key, value)| {
                let at = format!("{at}.{key}");
                let read = read.get(key).ok_or(format!("{at} is no field"))?;
                kept(value, read, &at)
            })
        }
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            let mut both = written.iter().zip(read).enumerate();
            both.try_for_each(|(i, (written, read))| kept(written, read, &format!("{at}[{i}]")))
        }
        _ if written == read => Ok(()),
        _ => Err(format!("{at}: {written} is read as {read}")),
    }
}

fn check(document: &Value) -> Result<(), String> {
    match document["kind"].as_str().unwrap_or_default() {
        "Namespace" => known::<Namespace>(document),
        "ServiceAccount" => known::<ServiceAccount>(document),
        "ClusterRole" => known::<ClusterRole>(document),
        "ClusterRoleBinding" => known::<ClusterRoleBinding>(document),
        "Role" => known::<Role>(document),
        "RoleBinding" => known::<RoleBinding>(document),
        "Deployment" => known::<Deployment>(document),
        "Service" => known::<Service>(document),
        "MetricsSource" => known::<MetricsSource>(document),
        "BotDegradationPolicy" => {
            known::<BotDegradationPolicy>(document)?;
            understood(document)
        }
        kind => Err(format!("add {kind:?} to this test")),
    }
}

fn understood(document: &Value) -> Result<(), String> {
    let policy: BotDegradationPolicy =
        serde_json::from_value(document.clone()).map_err(|err| err.to_string())?;
    let name = policy.metadata.name.unwrap_or_default();
    let policy = from_spec("bots", &name, &policy.spec).map_err(|found| format!("{found:?}"))?;
    signal_queries(&policy.signals)
        .map(drop)
        .map_err(|refused| format!("{refused:?}"))
}

#[test]
fn every_field_is_known() {
    let mut seen = 0;
    for file in files(&folder("manifests")) {
        if file.ends_with("kustomization.yaml") {
            continue;
        }
        for document in documents(&file) {
            seen += 1;
            check(&document).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        }
    }
    assert!(seen >= 15, "only {seen} documents");
}

#[test]
fn an_unknown_field_would_be_noticed() {
    let service = serde_json::json!({
        "apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetport": "http"}]},
    });
    let why = check(&service).expect_err("targetport is no field");
    assert_eq!(why, ".spec.ports[0].targetport is no field");
}

#[test]
fn kustomizations_list_what_is_there() {
    for (folder, kustomization) in [
        (folder("manifests/base"), "kustomization.yaml"),
        (folder("crds"), "Kustomization"),
    ] {
        let listed = &documents(&folder.join(kustomization))[0]["resources"];
        let listed: Vec<_> = listed
            .as_array()
            .expect("resources")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for file in files(&folder) {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name");
            assert!(
                name == kustomization || listed.contains(&name),
                "{name} is not listed"
            );
        }
        for name in listed {
            assert!(folder.join(name).exists(), "{name} does not exist");
        }
    }
}

#[test]
fn the_smallest_policy_is_small() {
    let path = folder("manifests/examples/smallest-policy.yaml");
    let lines = fs::read_to_string(path).expect("a file").lines().count();
    assert!(lines <= 20, "{lines} lines");
}

/// What a rule is for stands above it, with the file that needs it, and that file exists.
#[test]
fn every_rule_names_the_code_that_needs_it() {
    for (path, least) in [
        ("manifests/base/cluster-role.yaml", 7),
        ("manifests/base/role.yaml", 2),
        ("manifests/examples/chatbotler.yaml", 1),
    ] {
        let text = fs::read_to_string(folder(path)).expect("a file");
        let mut comment = String::new();
        let mut rules = 0;
        for line in text.lines() {
            if line.starts_with('#') {
                comment.push_str(line);
                comment.push('\n');
                continue;
            }
            if line.starts_with("- apiGroups:") {
                rules += 1;
                let is_code = |word: &&str| word.contains("src/");
                let words = comment.split(|c: char| !(c.is_alphanumeric() || "/_.-".contains(c)));
                let code: Vec<_> = words
                    .filter(is_code)
                    .map(|word| word.trim_end_matches('.'))
                    .collect();
                assert!(!code.is_empty(), "{path}: no code for: {line}\n{comment}");
                for file in code {
                    assert!(folder(file).is_file(), "{path}: {file} does not exist");
                }
            }
            comment.clear();
        }
        assert!(rules >= least, "{path}: {rules} rules");
    }
}
