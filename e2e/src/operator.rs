//! The operator under test: the real executable as a child process.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::http;
use crate::paths;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

const READY: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(20);

/// How an operator is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names its log; unique within a run.
    pub name: String,
    /// Who it is in the cluster.
    pub kubeconfig: PathBuf,
    /// The Prometheus of the implicit source.
    pub prometheus_url: String,
    /// The namespaces that it looks after; none is all of them.
    pub namespaces: Vec<String>,
    /// More command line flags.
    pub flags: Vec<String>,
}

/// An operator, running or (for a test's sake) not: its addresses stay the same.
#[derive(Debug)]
pub struct Operator {
    run: Arc<RunDir>,
    spec: Spec,
    metrics: Port,
    admin: Port,
    process: Mutex<Option<Arc<Process>>>,
}

impl Operator {
    /// Starts an operator and waits until it is ready.
    pub async fn start(run: Arc<RunDir>, options: &Options) -> Result<Self> {
        let operator = Self::new(run, options)?;
        operator.start_again().await?;
        Ok(operator)
    }

    /// An operator that does not run yet.
    pub fn new(run: Arc<RunDir>, options: &Options) -> Result<Self> {
        let (metrics, admin) = (Port::reserve()?, Port::reserve()?);
        let spec = Spec::new(&options.name, executable()?)
            .arg("controller")
            .flag("prometheus-url", &options.prometheus_url)
            .flag("metrics-address", metrics.address())
            .flag("admin-address", admin.address())
            .env("KUBECONFIG", options.kubeconfig.as_os_str());
        let spec = match options.namespaces.as_slice() {
            [] => spec,
            some => spec.flag("namespaces", some.join(",")),
        };
        let spec = options.flags.iter().fold(spec, Spec::arg);
        Ok(Self {
            run,
            spec,
            metrics,
            admin,
            process: Mutex::default(),
        })
    }

    /// Starts it again after its end, and waits until it is ready.
    pub async fn start_again(&self) -> Result<()> {
        self.launch()?;
        self.await_ready().await
    }

    /// Starts it again without waiting for anything.
    pub fn launch(&self) -> Result<()> {
        let mut slot = self.slot();
        if slot.is_some() {
            bail!("this operator runs already");
        }
        *slot = Some(Arc::new(Process::start(&self.run, &self.spec)?));
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub async fn await_ready(&self) -> Result<()> {
        let url = format!("http://{}/readyz", self.metrics.address());
        self.current()?
            .await_ready(READY, || http::is_ok(&url))
            .await
    }

    /// Kills it (SIGKILL), as a node's end does.
    pub fn kill(&self) -> Result<()> {
        self.take()?.kill()
    }

    /// Ends it in good order (SIGTERM) and gives its exit status.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        self.take()?.terminate(STOP).await
    }

    /// Waits until it has ended by itself, and gives its exit status.
    pub async fn ended(&self) -> Result<ExitStatus> {
        let status = tokio::time::timeout(READY, self.current()?.exited())
            .await
            .context("it did not end by itself")?;
        self.take()?;
        Ok(status)
    }

    /// Ends it in good order and starts it again.
    pub async fn restart(&self) -> Result<()> {
        self.terminate().await?;
        self.start_again().await
    }

    /// Freezes it (SIGSTOP), as a stalled machine does.
    pub fn freeze(&self) -> Result<()> {
        self.current()?.freeze()
    }

    /// Lets a frozen operator go on.
    pub fn thaw(&self) -> Result<()> {
        self.current()?.thaw()
    }

    /// The process id, for measurements.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.current()?.pid())
    }

    /// Its log file; a restarted operator goes on with the same.
    pub fn log(&self) -> PathBuf {
        self.run.logs().join(format!("{}.log", self.spec.name))
    }

    /// Its own metrics, as text.
    pub async fn metrics(&self) -> Result<String> {
        http::get_text(&format!("http://{}/metrics", self.metrics.address())).await
    }

    /// Whether it leads, of several.
    pub async fn leads(&self) -> Result<bool> {
        let metrics = self.metrics().await?;
        Ok(metrics.lines().any(|line| line == "brownout_leader 1"))
    }

    /// What it says live of all its policies.
    pub async fn policies(&self) -> Result<serde_json::Value> {
        let body = http::get_text(&format!("http://{}/v1/policies", self.admin.address())).await?;
        serde_json::from_str(&body).with_context(|| format!("the live JSON is none: {body}"))
    }

    /// The address of the live JSON: `127.0.0.1:<port>`.
    pub fn admin_address(&self) -> String {
        self.admin.address()
    }

    /// The address of metrics and health: `127.0.0.1:<port>`.
    pub fn metrics_address(&self) -> String {
        self.metrics.address()
    }

    fn current(&self) -> Result<Arc<Process>> {
        self.slot().clone().context("this operator does not run")
    }

    fn take(&self) -> Result<Arc<Process>> {
        self.slot().take().context("this operator does not run")
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `BROWNOUT_BIN`, else what cargo built beside this executable.
pub fn executable() -> Result<PathBuf> {
    let path = match env::var_os("BROWNOUT_BIN") {
        Some(path) => PathBuf::from(path),
        None => paths::target_profile()?.join("brownout"),
    };
    if !Path::is_file(&path) {
        bail!(
            "there is no operator at {}: run `cargo build` first, or set BROWNOUT_BIN",
            path.display()
        );
    }
    Ok(path)
}
