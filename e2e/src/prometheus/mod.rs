//! A real Prometheus whose targets come and go while it runs.

mod query;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::http;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::Tool;

pub use query::Sample;
pub use targets::Target;

const READY: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

/// How a Prometheus is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names its folder and its log; unique within a run.
    pub name: String,
    /// How often targets are asked.
    pub scrape_interval: Duration,
    /// An address of this machine at which it listens as well as on the loopback interface.
    pub also_at: Option<String>,
    /// More command line flags, such as `--query.max-samples=100`.
    pub flags: Vec<String>,
}

impl Options {
    /// A Prometheus that asks its targets once a second.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scrape_interval: Duration::from_secs(1),
            also_at: None,
            flags: Vec::new(),
        }
    }
}

/// A Prometheus server, running or (for a test's sake) not: address and data stay the same.
#[derive(Debug)]
pub struct Prometheus {
    run: Arc<RunDir>,
    spec: Spec,
    port: Port,
    targets: PathBuf,
    process: Mutex<Option<Arc<Process>>>,
}

impl Prometheus {
    /// Starts a server in a folder of its own and waits until it is ready.
    pub async fn start(run: Arc<RunDir>, options: &Options) -> Result<Self> {
        let program = Tool::Prometheus.find_or_build().await?;
        let folder = run.subfolder(&options.name)?;
        let targets = folder.join("targets");
        fs::create_dir_all(&targets)
            .with_context(|| format!("cannot create {}", targets.display()))?;
        let config = folder.join("prometheus.yml");
        fs::write(&config, configuration(options.scrape_interval, &targets))
            .with_context(|| format!("cannot write {}", config.display()))?;
        let port = Port::reserve()?;
        let spec = spec(options, program, &config, &folder, &port);
        let prometheus = Self {
            run,
            spec,
            port,
            targets,
            process: Mutex::default(),
        };
        prometheus.start_again().await?;
        Ok(prometheus)
    }

    /// Where it is asked: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Where those ask who reach this machine at `address`, one that it was told to listen at.
    pub fn url_at(&self, address: &str) -> String {
        format!("http://{address}:{}", self.port.number())
    }

    /// Starts it again at the same address with the data it had, and waits until it is ready.
    pub async fn start_again(&self) -> Result<()> {
        if self.current().is_some() {
            bail!("this Prometheus runs already");
        }
        let process = Arc::new(Process::start(&self.run, &self.spec)?);
        *self.slot() = Some(Arc::clone(&process));
        let ready = format!("{}/-/ready", self.url());
        process.await_ready(READY, || http::is_ok(&ready)).await
    }

    /// Ends it in good order.
    pub async fn stop(&self) -> Result<()> {
        match self.take() {
            Some(process) => process.terminate(STOP).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Kills it (SIGKILL): connections are refused from now on.
    pub fn kill(&self) -> Result<()> {
        self.take().map_or(Ok(()), |process| process.kill())
    }

    /// Freezes it (SIGSTOP): connections are accepted and nothing is answered.
    pub fn freeze(&self) -> Result<()> {
        self.current()
            .context("this Prometheus does not run")?
            .freeze()
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) -> Result<()> {
        self.current()
            .context("this Prometheus does not run")?
            .thaw()
    }

    /// Adds a target that is asked at `address` (`127.0.0.1:1234`) for `/metrics`. Labels may
    /// include `job`, and Prometheus' own such as `__metrics_path__`.
    pub fn add_target(&self, address: &str, labels: &[(&str, &str)]) -> Result<Target> {
        Target::add(&self.targets, address, labels)
    }

    fn current(&self) -> Option<Arc<Process>> {
        self.slot().clone()
    }

    fn take(&self) -> Option<Arc<Process>> {
        self.slot().take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spec(options: &Options, program: PathBuf, config: &Path, folder: &Path, port: &Port) -> Spec {
    let spec = Spec::new(&options.name, program)
        .flag("config.file", config)
        .flag("storage.tsdb.path", folder.join("data"))
        .flag("web.listen-address", port.address())
        .flag("scrape.discovery-reload-interval", "100ms") // 5 s by default: tests would wait for new targets
        .flag("log.level", "warn");
    let spec = match &options.also_at {
        Some(address) => spec.flag("web.listen-address", format!("{address}:{}", port.number())),
        None => spec,
    };
    options.flags.iter().fold(spec, Spec::arg)
}

/// Changes of the target files are seen at once (inotify). Reading them again and again would
/// be slower: Prometheus passes on at most one update in 5 s from a discovery that is never quiet.
fn configuration(scrape_interval: Duration, targets: &Path) -> String {
    let interval = scrape_interval.as_millis();
    let files = targets.display();
    format!(
        "global:\n  scrape_interval: {interval}ms\n  scrape_timeout: {interval}ms\n\
         scrape_configs:\n- job_name: e2e\n  file_sd_configs:\n  - files: ['{files}/*.json']\n    refresh_interval: 1m\n"
    )
}
