//! A real NATS server with `JetStream`, whose files outlive it; or a cluster of three.

mod cluster;

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Result, ensure};

pub use cluster::NatsCluster;

use crate::http;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::Tool;

const READY: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);

/// A server that runs, or one that was ended and may be started again on the same port with the same
/// files. Dropping it kills it.
#[derive(Debug)]
pub struct Nats {
    spec: Spec,
    port: Port,
    monitoring: Port,
    process: Process,
}

impl Nats {
    /// Starts a server, and waits until it is ready.
    pub async fn start(run: &RunDir, name: &str) -> Result<Self> {
        let server = Self::begin(run, name, |spec| spec).await?;
        server.ready().await?;
        Ok(server)
    }

    /// Starts a server as a configuration says, but for its ports and for the folder `store_dir`, which are the run's.
    pub async fn start_configured(
        run: &RunDir,
        name: &str,
        config: &str,
        store_dir: &str,
        passwords: &[(&str, String)],
    ) -> Result<Self> {
        let (theirs, ours) = (format!("store_dir: {store_dir}\n"), run.subfolder(name)?);
        ensure!(config.contains(&theirs), "there is no line {theirs:?}");
        let config = config.replace(&theirs, &format!("store_dir: \"{}\"\n", ours.display()));
        let file = run.data().join(format!("{name}.conf"));
        std::fs::write(&file, config)?;
        let configured = |spec: Spec| {
            let spec = spec.flag("config", file);
            passwords
                .iter()
                .fold(spec, |spec, (name, value)| spec.env(*name, value))
        };
        let server = Self::begin_as(run, name, configured).await?;
        server.ready().await?;
        Ok(server)
    }

    async fn begin(run: &RunDir, name: &str, more: impl FnOnce(Spec) -> Spec) -> Result<Self> {
        let files = run.subfolder(name)?;
        let on_disk = |spec: Spec| more(spec.arg("--jetstream").flag("store_dir", files));
        Self::begin_as(run, name, on_disk).await
    }

    async fn begin_as(run: &RunDir, name: &str, more: impl FnOnce(Spec) -> Spec) -> Result<Self> {
        let program = Tool::NatsServer.find_or_build().await?;
        let (port, monitoring) = (Port::reserve()?, Port::reserve()?);
        let spec = more(
            Spec::new(name, program)
                .flag("addr", "127.0.0.1")
                .flag("port", port.number().to_string())
                .flag("http_port", monitoring.number().to_string()),
        );
        let process = Process::start(run, &spec)?;
        Ok(Self {
            spec,
            port,
            monitoring,
            process,
        })
    }

    async fn ready(&self) -> Result<()> {
        let health = format!("http://{}/healthz", self.monitoring.address());
        self.process
            .await_ready(READY, || http::is_ok(&health))
            .await
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`], and waits until it is ready.
    pub async fn start_again(&mut self, run: &RunDir) -> Result<()> {
        self.process = Process::start(run, &self.spec)?;
        self.ready().await
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// Ends it in good order (SIGTERM).
    pub async fn stop(&self) -> Result<ExitStatus> {
        self.process.terminate(STOP).await
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where clients connect: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.port.address())
    }

    /// The same for one who says who they are.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        format!("nats://{user}:{password}@{}", self.port.address())
    }
}
