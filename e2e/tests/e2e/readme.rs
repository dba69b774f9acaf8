//! The README's commands for one's own cluster, as they stand there, one after the other.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial};
use e2e::operator;
use e2e::paths::checkout;
use e2e::tools::Tool;
use libtest_mimic::Trial;
use tokio::process::Command;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("readme_installs_on_a_cluster", installs_on_a_cluster),
        trial("readme_command_answers", command_answers),
    ]
}

async fn installs_on_a_cluster(ctx: Ctx) -> Result<()> {
    let kubectl = Tool::Kubectl.find_or_build().await?;
    let readme = fs::read_to_string(checkout().join("README.md"))?;
    let commands: Vec<_> = readme
        .lines()
        .filter_map(|line| line.trim().strip_prefix("kubectl "))
        .collect();
    ensure!(commands.len() >= 6, "only {commands:?} were found");
    for command in commands {
        let kubeconfig = ctx.cluster().kubeconfig();
        let words = command.split_whitespace();
        let text = output(
            Command::new(&kubectl)
                .args(words)
                .env("KUBECONFIG", kubeconfig),
        )
        .await?;
        let warned = text.contains("Warning");
        ensure!(!warned, "kubectl {command} warned: {text}");
    }
    Ok(())
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
