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
use tokio::runtime::{Builder, Runtime};

use crate::audit::Mark;
use crate::cluster;
use crate::environment::Environment;
use crate::http;
use crate::node;
use crate::progress::{describe, say};
use crate::rights;
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
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| runtime().expect("an async runtime starts"));

/// Exporters and proxies answer from here too, and must not wait for a test that reads a file or for the end
/// of a process: as many threads as there are processors would be too few.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2 * THREADS)
        .enable_all()
        .build()
}

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
            let all = ctx.clone();
            let result = match run_one(deadline, test(ctx)).await {
                Ok(()) => Ok(()),
                Err(error) => Err(explain(&shared, &namespace, &error).await),
            };
            for namespace in all.namespaces() {
                shared.cluster.leave(&namespace).await;
            }
            result
        })
    })
}

/// For a test of what only a cluster that we started can show: its audit log, and other people than the
/// administrator. With a cluster that was brought along it is reported as ignored, not as passed.
pub fn needs_own_cluster(trial: Trial) -> Trial {
    trial.with_ignored_flag(cluster::is_brought_along())
}

/// Runs the tests that the command line asks for, then ends the environment.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    run_as(&arguments, trials, true)
}

/// As [`run`], never two at once: for tests that measure. They need few rights, so that these are all needed
/// is for others to show.
pub fn run_one_by_one(trials: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    run_as(&arguments, trials, false)
}

fn run_as(arguments: &Arguments, trials: Vec<Trial>, all_rights: bool) -> ExitCode {
    http::install_tls_provider();
    let conclusion = libtest_mimic::run(arguments, trials);
    let mut code = conclusion.exit_code();
    if let Some(Ok(environment)) = ENVIRONMENT.get() {
        let whole = all_rights && conclusion.num_filtered_out == 0 && conclusion.num_ignored == 0;
        match rights_verdict(environment, whole) {
            Ok(said) => say(format!("rights: {said}")),
            Err(wrong) => {
                say(format!("rights: FAILED: {}", describe(&wrong)));
                environment.run.keep_logs();
                code = ExitCode::FAILURE;
            }
        }
        environment.stop();
    }
    code
}

/// Whether the operators of a whole run needed all that the manifests grant, and nothing more. The few tests
/// that need a node need few rights: there, only what was refused is a fault.
fn rights_verdict(environment: &Environment, whole: bool) -> Result<String> {
    let Ok(audit) = environment.cluster.audit() else {
        return Ok("NOT JUDGED, a cluster that was brought along has no audit log to read".into());
    };
    let Some(rights) = environment.rights_in_use() else {
        return Ok("NOT JUDGED, no operator ran with the rights that are shipped".into());
    };
    let verdict = rights::judge(rights.shipped(), audit.stages_since(Mark::START)?, |user| {
        rights.is_pardoned(user)
    });
    if verdict.is_good() {
        return Ok(verdict.to_string());
    }
    let (requests, used) = (verdict.requests, verdict.used.len());
    let all = used + verdict.unused.len();
    if WITH_NODE.get().is_some() && requests > 0 && verdict.refused.is_empty() {
        return Ok(format!(
            "none of the operators' {requests} requests was refused; {used} of {all} rights used, \
             NOT JUDGED: the tests without a node need them all"
        ));
    }
    if !whole && verdict.refused.is_empty() {
        return Ok(format!(
            "NOT JUDGED, since not all tests ran: {used} of {all} used"
        ));
    }
    anyhow::bail!("{verdict}")
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
