//! The manifests are what they claim to be: every field is one that Kubernetes, or Brownout, knows.

#![cfg(feature = "operator")]
#![allow(clippy::panic)] // a failing test panics

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use brownout::api::{BotDegradationPolicy, MetricsSource};
use brownout::policy::from_spec;
use brownout::prometheus::signals::signal_queries;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};
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
        "StatefulSet" => known::<StatefulSet>(document),
        "HorizontalPodAutoscaler" => known::<HorizontalPodAutoscaler>(document),
        "PersistentVolumeClaim" => known::<PersistentVolumeClaim>(document),
        // Prometheus Operator's: promtool reads the rules in a test of their own
        "PrometheusRule" | "PodMonitor" | "Probe" => Ok(()),
        "PodDisruptionBudget" => known::<PodDisruptionBudget>(document),
        "NetworkPolicy" => known::<NetworkPolicy>(document),
        "ValidatingAdmissionPolicy" => known::<ValidatingAdmissionPolicy>(document),
        "ValidatingAdmissionPolicyBinding" => known::<ValidatingAdmissionPolicyBinding>(document),
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
    signal_queries(&policy.signals, None)
        .map(drop)
        .map_err(|refused| format!("{refused:?}"))
}

#[test]
fn every_field_is_known() {
    let mut seen = 0;
    for file in files(&folder("manifests")) {
        if file.ends_with("kustomization.yaml") || file.ends_with("name-references.yaml") {
            continue; // kustomize's own; what it makes of them is applied by the end-to-end tests
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
    let kustomizations: Vec<_> = files(&folder("manifests"))
        .into_iter()
        .filter(|file| file.ends_with("kustomization.yaml"))
        .chain([folder("crds/Kustomization")])
        .collect();
    assert!(kustomizations.len() >= 6, "{kustomizations:?}");
    for kustomization in kustomizations {
        let folder = kustomization.parent().expect("a folder");
        let content = &documents(&kustomization)[0];
        let list = |field: &str| content[field].as_array().into_iter().flatten();
        let patches = list("patches").filter_map(|patch| patch["path"].as_str());
        let listed: Vec<_> = ["resources", "configurations", "components"]
            .into_iter()
            .flat_map(list)
            .filter_map(Value::as_str)
            .chain(patches)
            .collect();
        for file in files(folder) {
            let name = file.file_name().and_then(|name| name.to_str());
            let name = name.expect("a name");
            assert!(
                file == kustomization || listed.contains(&name),
                "{} is not listed",
                file.display()
            );
        }
        for name in listed {
            assert!(folder.join(name).exists(), "{name} does not exist");
        }
    }
}

/// Kinds that are no namespace's: a role that is bound in a namespace cannot give them.
const CLUSTER_SCOPED: [&str; 2] = ["metricssources", "namespaces"];

/// What the namespaced install binds in each namespace must be possible there.
#[test]
fn each_right_is_in_the_role_that_can_give_it() {
    let roles = documents(&folder("manifests/base/cluster-role.yaml"));
    let [cluster, namespace] = roles.as_slice() else {
        panic!("two roles, one of them for namespaces");
    };
    assert_eq!(cluster["metadata"]["name"], "brownout-cluster");
    assert_eq!(namespace["metadata"]["name"], "brownout");
    for resource in resources(namespace) {
        assert!(
            !CLUSTER_SCOPED.contains(&resource.as_str()),
            "{resource} belongs into the role brownout-cluster"
        );
    }
    for resource in resources(cluster) {
        assert!(
            resource.starts_with("botdegradationpolicies")
                || CLUSTER_SCOPED.contains(&resource.as_str()),
            "{resource} belongs into the role brownout, so that ../namespaced can narrow it"
        );
    }
}

fn resources(role: &Value) -> Vec<String> {
    let role: ClusterRole = serde_json::from_value(role.clone()).expect("a ClusterRole");
    let rules = role.rules.into_iter().flatten();
    rules
        .flat_map(|rule| rule.resources.unwrap_or_default())
        .collect()
}

/// The kind and name of a role.
fn named(role: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&role["kind"]), text(&role["metadata"]["name"]))
}

/// Every role of the base that is not only for people to be given: all are bound to the operator.
fn roles_of_the_operator() -> BTreeSet<(String, String)> {
    let all = || {
        let files = files(&folder("manifests/base"));
        files.into_iter().flat_map(|file| documents(&file))
    };
    let is_role = |it: &Value| ["ClusterRole", "Role"].contains(&it["kind"].as_str().unwrap_or(""));
    let for_people: BTreeSet<_> = documents(&folder(FOR_PEOPLE)).iter().map(named).collect();
    let roles = all().filter(is_role).map(|role| named(&role));
    let roles: BTreeSet<_> = roles.filter(|role| !for_people.contains(role)).collect();
    let bound: BTreeSet<_> = all()
        .filter(|it| it["roleRef"].is_object())
        .map(|it| {
            assert_eq!(it["subjects"][0]["name"], "brownout", "{it}");
            named(&serde_json::json!({
                "kind": it["roleRef"]["kind"], "metadata": {"name": it["roleRef"]["name"]},
            }))
        })
        .collect();
    assert_eq!(
        roles, bound,
        "each role is bound to the operator or for people"
    );
    roles
}

/// Roles that are not the operator's.
const FOR_PEOPLE: &str = "manifests/base/roles-for-people.yaml";

/// What the operator must never be given, whatever its rules say otherwise.
#[test]
fn no_role_of_the_operator_reaches_pod_templates_secrets_or_rights() {
    let mut seen = 0;
    let operator = roles_of_the_operator();
    for file in files(&folder("manifests/base")) {
        for role in documents(&file) {
            let kind = role["kind"].as_str().unwrap_or_default();
            if !["ClusterRole", "Role"].contains(&kind) {
                continue;
            }
            let rules = role["rules"].as_array().expect("rules");
            seen += rules.len();
            for rule in rules {
                let rule = rule.to_string();
                assert!(
                    !rule.contains('*'),
                    "{}: a wildcard: {rule}",
                    file.display()
                );
                for never in [
                    "escalate",
                    "impersonate",
                    "\"bind\"",
                    "rolebindings",
                    "\"pods",
                ] {
                    assert!(!rule.contains(never), "{}: {never}: {rule}", file.display());
                }
                let secrets = rule.contains("\"secrets\"") && kind == "ClusterRole";
                assert!(!secrets, "Secrets of the whole cluster: {rule}");
            }
            for rule in rules.iter().filter(|_| operator.contains(&named(&role))) {
                let rule: PolicyRule = serde_json::from_value(rule.clone()).expect("a rule");
                let resources = rule.resources.unwrap_or_default();
                let writes = rule
                    .verbs
                    .iter()
                    .any(|verb| !["get", "list", "watch"].contains(&verb.as_str()));
                let workloads = ["deployments", "statefulsets", "replicasets", "daemonsets"];
                let template = resources
                    .iter()
                    .any(|resource| workloads.contains(&resource.as_str()));
                assert!(!(writes && template), "writes pod templates: {resources:?}");
            }
        }
    }
    assert!(seen >= 8, "only {seen} rules");
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
    let base = files(&folder("manifests/base")).into_iter();
    let base = base.filter(|path| *path != folder(FOR_PEOPLE));
    let mut seen = 0;
    let bots = [
        "manifests/examples/chatbotler.yaml",
        "manifests/chatbotler/common/flags-role.yaml",
    ];
    for path in base.chain(bots.map(folder)) {
        let documents = documents(&path);
        let written = documents.iter().filter_map(|it| it["rules"].as_array());
        let written: usize = written.map(Vec::len).sum();
        let text = fs::read_to_string(&path).expect("a file");
        let path = path.display();
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
        assert_eq!(rules, written, "{path}: each rule begins with apiGroups");
        seen += rules;
    }
    assert!(seen >= 14, "only {seen} rules");
}

/// Without rights to its Lease no operator ever leads: the Role names one, and where the operator would make up
/// another name, from the namespaces that it is told, it is told this one as well.
#[test]
fn the_lease_of_each_install_is_the_one_that_the_role_names() {
    let roles = documents(&folder("manifests/base/leader-election-role.yaml"));
    let role = roles.iter().find(|it| it["kind"] == "Role");
    let role: Role = serde_json::from_value(role.expect("a Role").clone()).expect("a Role");
    let rules = role.rules.unwrap_or_default();
    let named: Vec<String> = rules
        .into_iter()
        .filter_map(|rule| rule.resource_names)
        .flatten()
        .collect();
    assert_eq!(named, [brownout::election::lease_name(&[], None)]);

    let overlay = &documents(&folder("manifests/namespaced/kustomization.yaml"))[0];
    let patches = overlay["patches"].as_array().expect("patches");
    let told = patches.iter().find_map(|patch| {
        let patch: Value = serde_saphyr::from_str(patch["patch"].as_str()?).ok()?;
        let container = patch.pointer("/spec/template/spec/containers/0/env")?;
        let variables = container.as_array()?.iter();
        let mut name = variables.filter(|it| it["name"] == "BROWNOUT_LEADER_ELECT_LEASE_NAME");
        Some(name.next()?["value"].as_str()?.to_owned())
    });
    assert_eq!(told.as_deref(), Some(named[0].as_str()));
}
