//! A real NATS server with `JetStream`, whose files outlive it.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;

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
        let program = Tool::NatsServer.find_or_build().await?;
        let (port, monitoring) = (Port::reserve()?, Port::reserve()?);
        let spec = Self::spec(name, program, run.subfolder(name)?, &port, &monitoring);
        let process = begin(run, &spec, &monitoring).await?;
        Ok(Self {
            spec,
            port,
            monitoring,
            process,
        })
    }

    fn spec(name: &str, program: PathBuf, files: PathBuf, port: &Port, monitoring: &Port) -> Spec {
        Spec::new(name, program)
            .flag("addr", "127.0.0.1")
            .flag("port", port.number().to_string())
            .flag("http_port", monitoring.number().to_string())
            .arg("--jetstream")
            .flag("store_dir", files)
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`], and waits until it is ready.
    pub async fn start_again(&mut self, run: &RunDir) -> Result<()> {
        self.process = begin(run, &self.spec, &self.monitoring).await?;
        Ok(())
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// Ends it in good order (SIGTERM).
    pub async fn stop(&self) -> Result<ExitStatus> {
        self.process.terminate(STOP).await
    }

    /// Where clients connect: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.port.address())
    }
}

async fn begin(run: &RunDir, spec: &Spec, monitoring: &Port) -> Result<Process> {
    let process = Process::start(run, spec)?;
    let health = format!("http://{}/healthz", monitoring.address());
    process.await_ready(READY, || http::is_ok(&health)).await?;
    Ok(process)
}
