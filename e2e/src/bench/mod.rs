//! What Brownout costs and how quick it is, as figures on stdout: measured on the real servers, and
//! judged by nobody. The machine matters, so it is named with them.

mod arrival;
mod counts;
mod crowd;
mod figures;
mod policies;
mod reaction;
mod shipped_pod;
mod soak;
mod takeover;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::environment::Environment;
use crate::node;
use crate::operator;
use crate::progress::say;
use crate::run_dir::RunDir;

use figures::{heading, line, mebibytes};
use policies::Sharing;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many policies make a crowd.
    pub policies: u32,
    /// How long the crowd is watched.
    pub watched: Duration,
    /// How many escalations are timed.
    pub transitions: usize,
    /// How many changes of leader are timed, of each kind.
    pub takeovers: usize,
    /// Whether pods are measured as well, where a node can be run.
    pub pods: bool,
    /// How long the bot's gateway and workers are watched; zero leaves that part out.
    pub soak: Duration,
}

/// Measures all of it, in this order: the executable, the crowd (with and without shared queries),
/// the reaction, changes of leader; then, in a cluster with a node, the operator's pod and the arrival of
/// flags. Between them the bot as gateway and workers.
pub async fn run(run: Arc<RunDir>, plan: &Plan) -> Result<()> {
    let executable = operator::executable()?;
    let size = std::fs::metadata(&executable)
        .context("no executable")?
        .len();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    heading("Operator");
    line(
        "executable",
        format!("{} ({})", mebibytes(size), executable.display()),
    );
    line("machine", format!("{cores} cores, load {}", usage::load()));

    if plan.policies > 0 || plan.transitions > 0 || plan.takeovers > 0 {
        processes(Arc::clone(&run), plan).await?;
    }
    if !plan.soak.is_zero() {
        say(format!(
            "{} s of the bot's gateway and workers",
            plan.soak.as_secs()
        ));
        soak::measure(run, plan.soak).await?;
    }
    if plan.pods {
        pods(Arc::new(RunDir::create()?)).await?;
    }
    Ok(())
}

async fn processes(run: Arc<RunDir>, plan: &Plan) -> Result<()> {
    let environment = Environment::start(run).await?;
    if plan.policies > 0 {
        for sharing in [Sharing::Half, Sharing::None] {
            say(format!("{} policies, {sharing}", plan.policies));
            crowd::measure(&environment, plan, sharing).await?;
        }
    }
    if plan.transitions > 0 {
        say(format!("{} escalations", plan.transitions));
        reaction::measure(&environment, plan.transitions).await?;
    }
    if plan.takeovers > 0 {
        takeover::measure(&environment, plan.takeovers).await?;
    }
    environment.stop();
    Ok(())
}

async fn pods(run: Arc<RunDir>) -> Result<()> {
    if let Err(why) = node::possible() {
        say(format!("pods are not measured: {why}"));
        return Ok(());
    }
    let environment = Environment::start_with_node(run).await?;
    shipped_pod::measure(&environment).await?;
    say("the arrival of flags in pods");
    arrival::measure(&environment).await?;
    environment.stop();
    Ok(())
}
