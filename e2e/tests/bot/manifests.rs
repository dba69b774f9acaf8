//! The bot's manifests as kustomize makes them: what is named in them exists, pods are as they must be, and the
//! alerts, its own and the operator's, say what they are to say by Prometheus' own tool.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use e2e::rights::kustomize;
use e2e::run_dir::RunDir;
use e2e::tools::Tool;
use e2e::{paths, shipped};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::trial;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("manifests_name_what_exists", |_| name_what_exists()),
        trial("manifests_pods_are_restricted_and_probed", |_| pods()),
        trial("manifests_alerts_fire_when_they_should", alerts),
    ]
}

/// What people make before they apply `split`, by its own words; the one of the bot is optional.
const SECRETS: [&str; 2] = ["chatbotler-store", "chatbotler-nats"];
const FOLDERS: [&str; 2] = ["single", "split"];

async fn objects(folder: &str) -> Result<Vec<Value>> {
    kustomize(&paths::checkout().join("manifests/chatbotler").join(folder)).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn name_what_exists() -> Result<()> {
    for folder in FOLDERS {
        let objects = objects(folder).await?;
        let all: BTreeSet<(String, String)> = objects
            .iter()
            .map(|it| (text(&it["kind"]), text(&it["metadata"]["name"])))
            .collect();
        let exists = |kind: &str, name: &Value| {
            let named = (kind.to_owned(), text(name));
            ensure!(all.contains(&named), "{folder}: there is no {named:?}");
            Ok(())
        };
        for object in &objects {
            match object["kind"].as_str().unwrap_or_default() {
                "Deployment" | "StatefulSet" => workload(folder, object, &exists)?,
                "Service" => selects(folder, &objects, &object["spec"]["selector"])?,
                "PodDisruptionBudget" => {
                    let selector = &object["spec"]["selector"]["matchLabels"];
                    selects(folder, &objects, selector)?;
                }
                "HorizontalPodAutoscaler" => {
                    let target = &object["spec"]["scaleTargetRef"];
                    exists(&text(&target["kind"]), &target["name"])?;
                }
                "RoleBinding" => {
                    exists("Role", &object["roleRef"]["name"])?;
                    exists("ServiceAccount", &object["subjects"][0]["name"])?;
                }
                "Secret" => anyhow::bail!("{folder} holds a Secret"),
                _ => (),
            }
        }
        if folder == "split" {
            let policy = &shipped::manifest("manifests/chatbotler/policy.yaml")?[0];
            let levels = policy["spec"]["levels"].as_array().context("levels")?;
            let scaled = levels
                .iter()
                .filter_map(|level| level["scale"].as_array())
                .flatten();
            for target in scaled {
                exists("Deployment", &target["name"])?;
            }
        }
    }
    Ok(())
}

type Exists<'a> = dyn Fn(&str, &Value) -> Result<()> + 'a;

/// What a workload's pods refer to.
fn workload(folder: &str, object: &Value, exists: &Exists<'_>) -> Result<()> {
    let spec = &object["spec"];
    let (labels, pod) = (
        &spec["template"]["metadata"]["labels"],
        &spec["template"]["spec"],
    );
    ensure!(
        contains(labels, &spec["selector"]["matchLabels"]),
        "{folder}: a selector that is not that of its pods: {spec}"
    );
    if !spec["serviceName"].is_null() {
        exists("Service", &spec["serviceName"])?;
    }
    if !pod["serviceAccountName"].is_null() {
        exists("ServiceAccount", &pod["serviceAccountName"])?;
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let (config, claim) = (&volume["configMap"], &volume["persistentVolumeClaim"]);
        if !config.is_null() && config["optional"] != true {
            exists("ConfigMap", &config["name"])?;
        }
        if !claim.is_null() {
            exists("PersistentVolumeClaim", &claim["claimName"])?;
        }
    }
    let container = &pod["containers"][0];
    for variable in container["env"].as_array().into_iter().flatten() {
        let secret = &variable["valueFrom"]["secretKeyRef"];
        let known = secret.is_null()
            || secret["optional"] == true
            || SECRETS.contains(&secret["name"].as_str().unwrap_or_default());
        ensure!(known, "{folder}: nobody is told to make {secret}");
    }
    Ok(())
}

fn contains(labels: &Value, selector: &Value) -> bool {
    let selector = selector.as_object();
    selector.is_some_and(|it| !it.is_empty() && it.iter().all(|(key, value)| labels[key] == *value))
}

fn selects(folder: &str, objects: &[Value], selector: &Value) -> Result<()> {
    let labels = |it: &Value| it.pointer("/spec/template/metadata/labels").cloned();
    let mut pods = objects.iter().filter_map(labels);
    ensure!(
        pods.any(|labels| contains(&labels, selector)),
        "{folder}: nothing has {selector}"
    );
    Ok(())
}

/// The Pod Security Standard "restricted" is judged by a real API server elsewhere; the rest of what a pod needs is here.
async fn pods() -> Result<()> {
    let mut seen = 0;
    for folder in FOLDERS {
        for object in objects(folder).await? {
            let pod = &object["spec"]["template"]["spec"];
            if pod.is_null() {
                continue;
            }
            seen += 1;
            let container = &pod["containers"][0];
            let name = &object["metadata"]["name"];
            let ports = container["ports"].as_array().context("ports")?;
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let port = &container[probe]["httpGet"]["port"];
                ensure!(
                    ports.iter().any(|it| it["name"] == *port),
                    "{name}: {probe} asks at {port}"
                );
            }
            ensure!(
                pod["securityContext"]["runAsNonRoot"] == true
                    && pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
                    && container["securityContext"]["readOnlyRootFilesystem"] == true
                    && container["securityContext"]["allowPrivilegeEscalation"] == false
                    && container["securityContext"]["capabilities"]["drop"] == json!(["ALL"]),
                "{name} is not restricted"
            );
            let resources = &container["resources"];
            for set in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                ensure!(resources.pointer(set).is_some(), "{name} has no {set}");
            }
            ensure!(
                text(&container["image"]).contains(':'),
                "{name}: {}",
                container["image"]
            );
        }
    }
    assert_eq!(seen, 5);
    Ok(())
}

async fn alerts(run: Arc<RunDir>) -> Result<()> {
    let shipped = "manifests/chatbotler/monitoring/prometheus-rule.yaml";
    alerts_of(&run, "chatbotler", shipped).await?;
    alerts_of(
        &run,
        "brownout",
        "manifests/components/monitoring/alerts.yaml",
    )
    .await
}

async fn alerts_of(run: &RunDir, of: &str, shipped: &str) -> Result<()> {
    let rule = &shipped::manifest(shipped)?[0];
    let folder = run.subfolder(&format!("alerts-{of}"))?;
    std::fs::write(
        folder.join("rules.yaml"),
        serde_saphyr::to_string(&rule["spec"])?,
    )?;
    promtool(
        &folder,
        &["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"],
    )
    .await?;
    let tests = format!("e2e/fixtures/alerts/{of}.yaml");
    let tests = std::fs::read_to_string(paths::checkout().join(tests))?;
    std::fs::write(folder.join("tests.yaml"), &tests)?;
    promtool(&folder, &["test", "rules", "tests.yaml"]).await?;

    let groups = rule["spec"]["groups"].as_array().context("groups")?;
    let rules = groups.iter().filter_map(|group| group["rules"].as_array());
    for rule in rules.flatten() {
        let Some(alert) = rule["alert"].as_str() else {
            continue;
        };
        ensure!(
            tests.contains(&format!("alertname=\"{alert}\"")),
            "no test has {alert} fire"
        );
        let about = &rule["annotations"];
        ensure!(
            about["summary"].is_string() && text(&about["description"]).len() > 60,
            "{alert} does not say what to do"
        );
    }
    Ok(())
}

async fn promtool(folder: &Path, args: &[&str]) -> Result<()> {
    let output = tokio::process::Command::new(Tool::Promtool.find_or_build().await?)
        .current_dir(folder)
        .args(args)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "promtool {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
