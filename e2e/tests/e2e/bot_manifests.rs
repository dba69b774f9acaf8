//! What `manifests/chatbotler` holds, applied by the commands that stand in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use e2e::harness::{Ctx, trial};
use e2e::paths::checkout;
use e2e::rights::kustomize;
use e2e::shipped;
use e2e::tools::{Tool, definitions};
use k8s_openapi::api::core::v1::Pod;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::manifests::{await_pod, restrict};
use crate::support::await_ready;

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial("bot_manifests_apply_as_they_say", apply)]
}

pub(crate) const FOLDER: &str = "manifests/chatbotler";
pub(crate) const POLICY: &str = "manifests/chatbotler/policy.yaml";
/// Of the Prometheus Operator, as `monitoring` needs them.
const DEFINITIONS: [&str; 3] = ["podmonitors", "probes", "prometheusrules"];

async fn apply(ctx: Ctx) -> Result<()> {
    for definition in definitions::prometheus_operator(&DEFINITIONS).await? {
        ctx.apply(&definition).await?;
    }
    for name in DEFINITIONS {
        let name = format!("{name}.monitoring.coreos.com");
        ctx.cluster().await_established(&name).await?;
    }
    typing_errors_are_found(&ctx).await?;
    the_operators_own_are_understood(&ctx).await?;
    let folders = kustomizations()?;
    assert_eq!(
        folders,
        ["monitoring", "single", "split"]
            .map(str::to_owned)
            .into_iter()
            .collect()
    );
    for folder in folders {
        let ctx = ctx.neighbour().await?;
        restrict(&ctx).await?;
        let file = format!("{FOLDER}/{folder}/kustomization.yaml");
        for command in commands(&file)? {
            run(&ctx, &command).await?;
        }
        let pods = pods_are_let_in(&ctx, &folder).await?;
        if pods == 0 {
            continue;
        }
        let policy = if folder == "split" {
            POLICY.into()
        } else {
            without_scale(&ctx)?
        };
        run(&ctx, &format!("kubectl apply -f {}", policy.display())).await?;
        let _operator = ctx.operator().await?;
        await_ready(&ctx, "chatbotler").await?;
    }
    Ok(())
}

/// The definitions are such that a field of another name would be noticed.
async fn typing_errors_are_found(ctx: &Ctx) -> Result<()> {
    let text = fs::read_to_string(checkout().join(FOLDER).join("monitoring/scrape.yaml"))?;
    let wrong = text.replace("podMetricsEndpoints", "podMetricEndpoints");
    ensure!(wrong != text, "the PodMonitor has endpoints");
    let file = scratch(ctx, "wrong.yaml", &wrong)?;
    let applied = run(ctx, &format!("kubectl apply -f {}", file.display())).await;
    let why = applied.err().context("it was applied all the same")?;
    ensure!(why.to_string().contains("podMetricEndpoints"), "{why}");
    Ok(())
}

/// The component for the operator's metrics, tried in this namespace as its own is not there.
async fn the_operators_own_are_understood(ctx: &Ctx) -> Result<()> {
    for name in ["alerts.yaml", "pod-monitor.yaml"] {
        let file = checkout()
            .join("manifests/components/monitoring")
            .join(name);
        let here = format!("namespace: {}", ctx.namespace());
        let text = fs::read_to_string(file)?.replace("namespace: brownout-system", &here);
        let file = scratch(ctx, name, &text)?;
        let tried = format!("kubectl apply --dry-run=server -f {}", file.display());
        run(ctx, &tried).await?;
    }
    Ok(())
}

/// The folders that are applied: a component is none.
fn kustomizations() -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(checkout().join(FOLDER))? {
        let entry = entry?;
        let file = entry.path().join("kustomization.yaml");
        if file.is_file() && fs::read_to_string(&file)?.contains("\nkind: Kustomization\n") {
            found.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

/// The commands in the remarks of a file.
pub(crate) fn commands(file: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(checkout().join(file))?;
    let remarks = text.lines().filter(|line| line.starts_with('#'));
    let commands = remarks.filter_map(|line| Some(&line[line.find("kubectl ")?..]));
    let commands = commands.filter_map(|line| Some(line.split(". ").next()?.trim().to_owned()));
    let commands: Vec<String> = commands.collect();
    ensure!(!commands.is_empty(), "{file} does not say how to apply it");
    Ok(commands)
}

/// Runs one in the checkout, in the test's namespace, with unknown fields and warnings as errors.
pub(crate) async fn run(ctx: &Ctx, command: &str) -> Result<()> {
    let kubectl = Tool::Kubectl.find_or_build().await?;
    let here = format!("{} -n {}", kubectl.display(), ctx.namespace());
    let strict = "apply --server-side --validate=strict --warnings-as-errors";
    let line = command
        .replace(" -n bots", "")
        .replacen("kubectl apply", &format!("kubectl {strict}"), 1)
        .replacen("kubectl", &here, 1);
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::process::Command::new("sh")
        .args(["-euc", &line])
        .current_dir(checkout())
        .env("KUBECONFIG", ctx.cluster().kubeconfig())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(
        status.success() && said.is_empty(),
        "{command}: {status}\n{}{said}",
        String::from_utf8_lossy(&stdout)
    );
    Ok(())
}

/// Each workload gets a pod, in a namespace that lets in none that may more than it has to.
async fn pods_are_let_in(ctx: &Ctx, folder: &str) -> Result<usize> {
    let objects = kustomize(&checkout().join(FOLDER).join(folder)).await?;
    let selector = |it: &Value| it.pointer("/spec/selector/matchLabels").cloned();
    let is_workload = |it: &&Value| it["kind"] == "Deployment" || it["kind"] == "StatefulSet";
    let workloads: Vec<Value> = objects
        .iter()
        .filter(is_workload)
        .filter_map(selector)
        .collect();
    for labels in &workloads {
        let labels = labels.as_object().context("labels")?.iter();
        let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("?")));
        await_pod(&ctx.api::<Pod>(), &labels.collect::<Vec<_>>().join(",")).await?;
    }
    Ok(workloads.len())
}

/// The policy as its first lines say for `single`.
fn without_scale(ctx: &Ctx) -> Result<PathBuf> {
    let mut policy = shipped::manifest(POLICY)?.remove(0);
    let levels = policy["spec"]["levels"].as_array_mut().context("levels")?;
    let mut removed = 0;
    for level in levels.iter_mut().filter_map(Value::as_object_mut) {
        removed += usize::from(level.remove("scale").is_some());
    }
    assert_eq!(removed, 1);
    scratch(ctx, "policy.json", &policy.to_string())
}

/// A file of the test's own.
pub(crate) fn scratch(ctx: &Ctx, name: &str, text: &str) -> Result<PathBuf> {
    let folder = ctx.environment().run.subfolder(ctx.namespace())?;
    let file = folder.join(name);
    fs::write(&file, text)?;
    Ok(file)
}
