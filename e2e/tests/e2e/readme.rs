//! The documents' commands for one's own cluster, as they stand there, one after the other, each document on a
//! cluster of its own: they take all of it, and in the end remove what they installed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::cluster::Cluster;
use e2e::harness::{Ctx, needs_own_cluster, trial, trial_within};
use e2e::operator::{self, Operator};
use e2e::paths::checkout;
use e2e::run_dir::RunDir;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::support::{SOON, await_policy_gone};

/// A cluster of its own on a busy machine, and a kubectl for each command.
const DEADLINE: Duration = Duration::from_secs(300);

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        needs_own_cluster(trial_within(DEADLINE, "readme_commands_work", readme)),
        needs_own_cluster(trial_within(
            DEADLINE,
            "readme_operations_commands_work",
            operations,
        )),
        trial("readme_a_policy_that_nobody_lets_go", nobody_lets_go),
        trial("readme_command_answers", command_answers),
    ]
}

/// What takes a node, which this cluster has not (`e2e/tests/node/documents.rs`), or a policy that nobody lets go.
const ELSEWHERE: [&str; 3] = ["kubectl logs", "kubectl get --raw", STUCK];
const STUCK: &str = "kubectl patch bdp";
/// Named in a sentence, and no whole command.
const WORDS: [&str; 1] = ["kubectl apply --server-side"];

async fn readme(ctx: Ctx) -> Result<()> {
    let text = read(&checkout().join("README.md"))?;
    let cluster = Cluster::start(Arc::new(RunDir::create()?)).await?;
    let [fenced, inline] = commands(&text);
    run_all(&ctx, &cluster, &[fenced, inline].concat(), 7).await
}

/// Installing, rights, daily work and, at last, uninstalling.
async fn operations(ctx: Ctx) -> Result<()> {
    let text = read(&checkout().join("docs/operations.md"))?;
    let rights = read(&checkout().join("docs/security.md"))?;
    let policy = read(&checkout().join("docs/policy.md"))?;
    let (last, others): (Vec<_>, Vec<_>) = text
        .split("\n## ")
        .partition(|section| section.starts_with("Uninstall"));
    ensure!(last.len() == 1, "the section that uninstalls");
    let more = [rights.as_str(), policy.as_str()];
    let sections = others.into_iter().chain(more).chain(last);
    let mut all: Vec<String> = Vec::new();
    for command in sections.flat_map(commands).flatten() {
        if !all.contains(&command) {
            all.push(command);
        }
    }

    let cluster = Cluster::start(Arc::new(RunDir::create()?)).await?;
    for namespace in ["bots", "games"] {
        let namespace =
            format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
        cluster.apply(&namespace, "").await?;
    }
    // what the component `pin` would have installed
    let role = checkout().join("manifests/components/pin/cluster-role.yaml");
    cluster.apply(&read(&role)?, "").await?;
    run_all(&ctx, &cluster, &all, 19).await?;
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

/// A policy whose operator is gone for good.
async fn nobody_lets_go(ctx: Ctx) -> Result<()> {
    let text = read(&checkout().join("docs/operations.md"))?;
    let line = text.lines().find(|line| line.trim().starts_with(STUCK));
    let line = line.context("the command that lets go")?.trim();
    let policy = read(&checkout().join("manifests/examples/smallest-policy.yaml"))?;
    let held = policy.replacen(
        "metadata:\n",
        "metadata:\n  finalizers: [brownout.dev/restore]\n",
        1,
    );
    ctx.apply(&held).await?;
    let policies = ctx.api::<BotDegradationPolicy>();
    policies
        .delete("chatbotler", &DeleteParams::default())
        .await?;
    let left = policies.get_opt("chatbotler").await?;
    ensure!(left.is_some(), "it waits for its operator");
    let filled = line
        .replace(" NAMESPACE ", &format!(" {} ", ctx.namespace()))
        .replace(" NAME ", " chatbotler ");
    shell(ctx.cluster(), &filled).await?;
    await_policy_gone(&ctx, "chatbotler").await
}

/// The commands of a document that begin with `kubectl`: those on lines of their own, indented or fenced, with their
/// continuations, and then those in sentences.
fn commands(text: &str) -> [Vec<String>; 2] {
    let joined = text.replace("\\\n", " ");
    let own = |line: &&str| line.starts_with("    ") || line.starts_with("   kubectl");
    let lines = joined.lines().filter(own).map(str::trim);
    let sentences = joined.lines().filter(|line| !own(line)).fold(
        (String::new(), false),
        |(mut text, fenced), line| {
            let fence = line.trim().starts_with("```");
            if !fence && !fenced {
                text.push_str(line);
                text.push(' ');
            }
            (text, fenced != fence)
        },
    );
    let inline = sentences.0;
    let inline = inline.split('`').skip(1).step_by(2);
    let inline = inline.filter(|code| code.split(' ').count() > 2 && !WORDS.contains(code));
    let run_here = |line: &&str| {
        line.starts_with("kubectl ") && !ELSEWHERE.iter().any(|other| line.starts_with(other))
    };
    [
        lines.filter(run_here).map(str::to_owned).collect(),
        inline.filter(run_here).map(str::to_owned).collect(),
    ]
}

/// Runs them, with an operator from the moment on at which its account is there.
async fn run_all(ctx: &Ctx, cluster: &Cluster, commands: &[String], least: usize) -> Result<()> {
    ensure!(commands.len() >= least, "only {commands:#?} were found");
    let run = async |command: &str| {
        let filled = format!(" {command} ").replace(" NAMESPACE ", " bots ");
        shell(cluster, &filled.replace(" NAME ", " chatbotler ")).await
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

/// Runs a command line as a person with all rights in a cluster.
async fn shell(cluster: &Cluster, line: &str) -> Result<String> {
    let kubectl = Tool::Kubectl.find_or_build().await?;
    let kubectl = kubectl.to_str().context("a path that is no text")?;
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &line.replacen("kubectl", kubectl, 1)])
        .env("KUBECONFIG", cluster.kubeconfig());
    output(&mut shell).await
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
    let help = output(Command::new(&brownout).args(["controller", "--help"])).await?;
    ensure!(help.contains("BROWNOUT_PROMETHEUS_URL"), "{help}");
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
