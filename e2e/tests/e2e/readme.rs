//! The documents' commands for one's own cluster, as they stand there, one after the other, each document on a
//! cluster of its own: they take all of it, and in the end remove what they installed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use e2e::cluster::Cluster;
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::operator::{self, Operator};
use e2e::paths::checkout;
use e2e::run_dir::RunDir;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::ListParams;
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::support::SOON;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        needs_own_cluster(trial("readme_commands_work", readme)),
        needs_own_cluster(trial("readme_operations_commands_work", operations)),
        trial("readme_command_answers", command_answers),
    ]
}

/// What takes a node, which this cluster has not, or a policy that nobody lets go.
const NOT_RUN: [&str; 3] = ["kubectl logs", "kubectl get --raw", "kubectl patch bdp"];

async fn readme(ctx: Ctx) -> Result<()> {
    let text = read(&checkout().join("README.md"))?;
    let cluster = Cluster::start(Arc::new(RunDir::create()?)).await?;
    run_all(&ctx, &cluster, &commands(&text), 6).await
}

/// Installing, rights, daily work and, at last, uninstalling.
async fn operations(ctx: Ctx) -> Result<()> {
    let text = read(&checkout().join("docs/operations.md"))?;
    let rights = read(&checkout().join("docs/security.md"))?;
    let (last, others): (Vec<_>, Vec<_>) = text
        .split("\n## ")
        .partition(|section| section.starts_with("Uninstall"));
    ensure!(last.len() == 1, "the section that uninstalls");
    let sections = others.into_iter().chain([rights.as_str()]).chain(last);
    let commands: Vec<_> = sections.flat_map(commands).collect();

    let cluster = Cluster::start(Arc::new(RunDir::create()?)).await?;
    for namespace in ["bots", "games"] {
        let namespace =
            format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
        cluster.apply(&namespace, "").await?;
    }
    // what the component `pin` would have installed
    let role = checkout().join("manifests/components/pin/cluster-role.yaml");
    cluster.apply(&read(&role)?, "").await?;
    run_all(&ctx, &cluster, &commands, 14).await?;
    nothing_is_left(&cluster).await
}

async fn nothing_is_left(cluster: &Cluster) -> Result<()> {
    let definitions = Api::<CustomResourceDefinition>::all(cluster.client());
    let namespaces = Api::<Namespace>::all(cluster.client());
    await_condition("everything to be uninstalled", SOON, || async {
        let definitions = definitions.list(&ListParams::default()).await?;
        let system = namespaces.get_opt("brownout-system").await?;
        Ok((definitions.items.is_empty() && system.is_none()).then_some(()))
    })
    .await
}

/// The commands of a document: lines that begin with `kubectl`, indented or fenced, with their continuations.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined
        .lines()
        .filter(|line| line.starts_with("    ") || line.starts_with("   kubectl"));
    let commands = lines
        .map(str::trim)
        .filter(|line| line.starts_with("kubectl "));
    commands
        .filter(|line| !NOT_RUN.iter().any(|not| line.starts_with(not)))
        .map(str::to_owned)
        .collect()
}

/// Runs them, with an operator from the moment on at which its account is there.
async fn run_all(ctx: &Ctx, cluster: &Cluster, commands: &[String], least: usize) -> Result<()> {
    ensure!(commands.len() >= least, "only {commands:#?} were found");
    let kubectl = Tool::Kubectl.find_or_build().await?;
    let kubectl = kubectl.to_str().context("a path that is no text")?;
    let run = async |command: &str| {
        let filled = format!(" {command} ").replace(" NAMESPACE ", " bots ");
        let filled = filled
            .replace(" NAME ", " chatbotler ")
            .replacen("kubectl", kubectl, 1);
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", &filled])
            .env("KUBECONFIG", cluster.kubeconfig());
        output(&mut shell).await
    };
    // people have their namespace in their kubeconfig
    run("kubectl config set-context --current --namespace bots").await?;
    let mut operator = None;
    for command in commands {
        let text = run(command).await?;
        let warned = text.lines().any(|line| line.starts_with("Warning:"));
        ensure!(!warned, "{command} warned: {text}");
        if operator.is_none() && command.contains("-k manifests/base") {
            operator = Some(start_operator(ctx, cluster).await?);
        }
    }
    Ok(())
}

/// As its Deployment would run it, had the cluster a node.
async fn start_operator(ctx: &Ctx, cluster: &Cluster) -> Result<Operator> {
    let account = cluster
        .service_account("brownout-system", "brownout")
        .await?;
    let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
    options.kubeconfig = account.kubeconfig;
    options.namespaces.clear();
    options.flags = [
        "--leader-elect",
        "--leader-elect-lease-namespace=brownout-system",
    ]
    .map(str::to_owned)
    .to_vec();
    Operator::start(ctx.environment().run.clone(), &options).await
}

async fn command_answers(_: Ctx) -> Result<()> {
    let brownout = operator::executable()?;
    let help = output(Command::new(&brownout).arg("--help")).await?;
    ensure!(help.contains("replay"), "{help}");
    let crds = output(Command::new(&brownout).arg("crd")).await?;
    for file in ["botdegradationpolicies.yaml", "metricssources.yaml"] {
        let stored = read(&checkout().join("crds").join(file))?;
        let (_, definition) = stored.split_once('\n').context("an empty file")?; // a comment first
        ensure!(
            crds.contains(definition.trim()),
            "`brownout crd` prints something else than crds/{file}"
        );
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// What a command says, on both its streams; an error if it fails.
async fn output(command: &mut Command) -> Result<String> {
    let output = command.current_dir(checkout()).output().await?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    ensure!(output.status.success(), "{command:?} failed: {text}");
    Ok(text)
}
