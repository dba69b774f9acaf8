//! The commands of docs/operations.md that take the operator's pods.

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial};
use e2e::paths::checkout;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::shipped::operator;
use crate::support::DEADLINE;

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial("documents_tell_how_to_look_inside", look_inside)]
}

async fn look_inside(ctx: Ctx) -> Result<()> {
    operator(&ctx).await?;
    ctx.apply(&std::fs::read_to_string(
        checkout().join("manifests/examples/smallest-policy.yaml"),
    )?)
    .await?;
    let text = std::fs::read_to_string(checkout().join("docs/operations.md"))?;
    let commands = |begin: &'static str| {
        let lines = text.lines().map(str::trim);
        lines.filter(move |line| line.starts_with(begin))
    };
    let logs = commands("kubectl logs").next().context("kubectl logs")?;
    says(&ctx, logs, "this operator leads").await?;
    let live: Vec<&str> = commands("kubectl get --raw").collect();
    ensure!(live.len() == 2, "{live:?}");
    for command in live {
        // a standby answers as well, and says that it is none to ask
        says(&ctx, command, "\"chatbotler\"").await?;
    }
    Ok(())
}

/// Runs a command until its answer has these words.
async fn says(ctx: &Ctx, command: &str, words: &str) -> Result<()> {
    let kubectl = Tool::Kubectl.find_or_build().await?;
    let kubectl = kubectl.to_str().context("a path that is no text")?;
    let line = command
        .replace("NAMESPACE", ctx.namespace())
        .replace("NAME", "chatbotler")
        .replacen("kubectl", kubectl, 1);
    await_condition(&format!("{words:?} from {command}"), DEADLINE, || async {
        let output = tokio::process::Command::new("sh")
            .args(["-euc", &line])
            .env("KUBECONFIG", ctx.cluster().kubeconfig())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && said.contains(words),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(Some(()))
    })
    .await
}
