//! A real Prometheus over data that was written before it started: every number is known.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::http;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::Tool;

const READY: Duration = Duration::from_secs(60);

/// A Prometheus without targets. Dropping it leaves the process to the run's end.
#[derive(Debug)]
pub struct Recorded {
    port: Port,
    _process: Process,
}

impl Recorded {
    /// Writes samples (`OpenMetrics` text with timestamps) as blocks, and starts a server over them in
    /// a folder of this name.
    pub async fn start(run: &RunDir, name: &str, samples: &str) -> Result<Self> {
        let folder = run.subfolder(name)?;
        let (file, data, config) = (
            folder.join("recorded.txt"),
            folder.join("data"),
            folder.join("prometheus.yml"),
        );
        std::fs::write(&file, samples)?;
        std::fs::write(&config, "")?;
        let filled = tokio::process::Command::new(Tool::Promtool.find_or_build().await?)
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &data])
            .output()
            .await?;
        let why = String::from_utf8_lossy(&filled.stderr);
        ensure!(filled.status.success(), "promtool: {why}");
        let port = Port::reserve()?;
        let spec = Spec::new(name, Tool::Prometheus.find_or_build().await?)
            .flag("config.file", &config)
            .flag("storage.tsdb.path", &data)
            .flag("storage.tsdb.retention.time", "100y")
            .flag("web.listen-address", port.address())
            .flag("log.level", "warn");
        let process = Process::start(run, &spec)?;
        let ready = format!("http://{}/-/ready", port.address());
        process.await_ready(READY, || http::is_ok(&ready)).await?;
        Ok(Self {
            port,
            _process: process,
        })
    }

    /// Where it is asked: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }
}
