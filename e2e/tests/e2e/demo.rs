//! The demo can be left at any time: it says where to look, and Ctrl-C ends all of it.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, needs_own_cluster, trial_within};
use e2e::http;
use e2e::paths::target_profile;
use libtest_mimic::Trial;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub(crate) fn tests() -> Vec<Trial> {
    vec![needs_own_cluster(trial_within(
        Duration::from_secs(300),
        "demo_ends_with_ctrl_c",
        ctrl_c,
    ))]
}

/// A cluster of its own on a busy machine.
const STARTED: Duration = Duration::from_secs(180);
const ENDED: Duration = Duration::from_secs(60);

async fn ctrl_c(_: Ctx) -> Result<()> {
    let demo = target_profile()?.join("demo");
    let mut demo = Command::new(demo)
        .args(["--processes", "--keep"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the demo")?;
    let page = timeout(STARTED, page(&mut demo)).await??;
    let text = http::get_text(&page).await?;
    ensure!(text.contains("<html"), "{page} is no page: {text}");

    let pid = demo.id().context("it has ended")?.to_string();
    let signalled = Command::new("kill").args(["-INT", &pid]).status().await?;
    ensure!(signalled.success(), "kill: {signalled}");
    let ended = timeout(ENDED, demo.wait()).await??;
    assert_eq!(ended.code(), Some(130));
    let after = http::get_text(&page).await;
    ensure!(after.is_err(), "the bot is still there");
    Ok(())
}

/// The address that it names on the way; the rest is read as well, or it would wait.
async fn page(demo: &mut Child) -> Result<String> {
    let mut lines = BufReader::new(demo.stderr.take().context("its words")?).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let page = line.split("the bot's page: ").nth(1);
        if let Some(page) = page.and_then(|rest| rest.split(' ').next()) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(page.to_owned());
        }
        said.push(line);
    }
    anyhow::bail!("it ended before: {said:#?}")
}
