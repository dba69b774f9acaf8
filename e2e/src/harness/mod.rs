//! The frame around end-to-end tests: one environment for all of them, a namespace and a
//! deadline for each, and on failure everything that a person would ask for first.

mod context;
mod dump;

use std::future::Future;
use std::path::Path;
use std::process::{ExitCode, exit};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use crate::environment::Environment;
use crate::http;
use crate::node;
use crate::progress::{describe, say};
use crate::run_dir::RunDir;
use crate::signals::stop_requested;

pub use context::Ctx;

/// A test that has not ended by then has failed.
const DEADLINE: Duration = Duration::from_secs(180);

/// Tests mostly wait, so more of them run at once than there are processors.
const THREADS: usize = 6;

#[allow(
    clippy::expect_used,
    reason = "without a runtime there is nothing to go on with"
)]
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("an async runtime starts"));

type Booted = Result<Arc<Environment>, String>;
static ENVIRONMENT: OnceLock<Booted> = OnceLock::new();
static WITH_NODE: OnceLock<bool> = OnceLock::new();

/// Makes a test of an async function: it passes if that gives `Ok` within the usual deadline.
pub fn trial<F, A>(name: &str, test: F) -> Trial
where
    F: FnOnce(Ctx) -> A + Send + 'static,
    A: Future<Output = Result<()>> + Send + 'static,
{
    trial_within(DEADLINE, name, test)
}

/// As [`trial`], with a deadline of its own.
pub fn trial_within<F, A>(deadline: Duration, name: &str, test: F) -> Trial
where
    F: FnOnce(Ctx) -> A + Send + 'static,
    A: Future<Output = Result<()>> + Send + 'static,
{
    let owned = name.to_owned();
    Trial::test(name, move || {
        let environment = environment()?;
        RUNTIME.block_on(async {
            let ctx = Ctx::create(environment, &owned)
                .await
                .map_err(|error| describe(&error))?;
            let namespace = ctx.namespace().to_owned();
            let shared = Arc::clone(ctx.environment());
            let result = match run_one(deadline, test(ctx)).await {
                Ok(()) => Ok(()),
                Err(error) => Err(explain(&shared, &namespace, &error).await),
            };
            shared.cluster.leave(&namespace).await;
            result
        })
    })
}

/// Runs the tests that the command line asks for, then ends the environment.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    http::install_tls_provider();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(Ok(environment)) = ENVIRONMENT.get() {
        environment.stop();
    }
    conclusion.exit_code()
}

/// As [`run`], in an environment whose cluster has a node. Where no node can be run the tests are
/// not run, which is told and counts as passed nowhere: they are listed as ignored, and where a
/// node must be possible (root on a Debian of CI) that is a failure.
pub fn run_with_node(trials: Vec<Trial>) -> ExitCode {
    let Err(why) = node::possible() else {
        WITH_NODE.get_or_init(|| true);
        return run(trials);
    };
    let ignored = |trial: Trial| trial.with_ignored_flag(true);
    let code = run(trials.into_iter().map(ignored).collect());
    say(format!("NOT RUN: the tests that need a node: {why}"));
    if node_is_required() {
        return ExitCode::FAILURE;
    }
    code
}

fn node_is_required() -> bool {
    std::env::var_os("CI").is_some_and(|ci| ci == "true")
        && rustix::process::geteuid().is_root()
        && Path::new("/etc/debian_version").exists()
}

/// The one environment, started by the first test that asks.
fn environment() -> Result<Arc<Environment>, Failed> {
    let booted = ENVIRONMENT.get_or_init(|| {
        let booted = RunDir::create().and_then(|run| boot(&Arc::new(run)));
        booted.map_err(|error| format!("the environment did not start: {error:#}"))
    });
    booted.clone().map_err(Failed::from)
}

fn boot(run: &Arc<RunDir>) -> Result<Arc<Environment>> {
    let ends = Arc::clone(run);
    RUNTIME.spawn(async move {
        if let Ok(code) = stop_requested().await {
            say("stopping");
            ends.clean();
            exit(code);
        }
    });
    let environment = RUNTIME
        .block_on(async {
            match WITH_NODE.get() {
                Some(true) => Environment::start_with_node(Arc::clone(run)).await,
                _ => Environment::start(Arc::clone(run)).await,
            }
        })
        .inspect_err(|_| run.keep_logs())?;
    Ok(Arc::new(environment))
}

/// Runs a test in a task of its own, so that a panic is an error like any other.
async fn run_one<A>(deadline: Duration, test: A) -> Result<()>
where
    A: Future<Output = Result<()>> + Send + 'static,
{
    let start = Instant::now();
    let mut task = tokio::spawn(test);
    match tokio::time::timeout(deadline, &mut task).await {
        Ok(Ok(result)) => result,
        Ok(Err(join)) => Err(panic_message(join)).context("the test panicked"),
        Err(_) => {
            task.abort();
            anyhow::bail!("the test was not done after {:?}", start.elapsed())
        }
    }
}

fn panic_message(join: tokio::task::JoinError) -> anyhow::Error {
    let Ok(payload) = join.try_into_panic() else {
        return anyhow::anyhow!("the task was cancelled");
    };
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    anyhow::anyhow!("{}", text.unwrap_or("without a message"))
}

/// The error, the state of the test's namespace, the end of its logs, and where all logs are.
async fn explain(environment: &Environment, namespace: &str, error: &anyhow::Error) -> Failed {
    environment.run.keep_logs();
    let logs = environment.run.logs();
    let state = dump::namespace(&environment.cluster, namespace).await;
    let ends = dump::log_ends(logs, namespace);
    let why = describe(error);
    let logs = logs.display();
    format!("{why}\n\nnamespace {namespace} at that time:\n{state}{ends}logs: {logs}").into()
}
