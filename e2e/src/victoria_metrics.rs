//! A real `VictoriaMetrics`, the single-node server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::http;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::Tool;

const READY: Duration = Duration::from_secs(60);

/// A server that runs. Dropping it kills it.
pub struct VictoriaMetrics {
    port: Port,
    _process: Process,
}

impl VictoriaMetrics {
    /// Starts a server that asks the target at `address` (`127.0.0.1:1234`) once a second, and waits
    /// until it is ready.
    pub async fn start(run: &Arc<RunDir>, name: &str, address: &str, job: &str) -> Result<Self> {
        let program = Tool::VictoriaMetrics.find_or_build().await?;
        let folder = run.subfolder(name)?;
        let scrape = folder.join("scrape.yml");
        std::fs::write(
            &scrape,
            format!(
                "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: {job}\n  static_configs: [{{targets: ['{address}']}}]\n"
            ),
        )?;
        let port = Port::reserve()?;
        let spec = Spec::new(name, program)
            .flag("storageDataPath", folder.join("data"))
            .flag("httpListenAddr", port.address())
            .flag("promscrape.config", scrape)
            .flag("memory.allowedBytes", "64MB") // of the whole machine's it takes a share by default
            .flag("loggerLevel", "WARN");
        let process = Process::start(run, &spec)?;
        let health = format!("http://{}/health", port.address());
        process.await_ready(READY, || http::is_ok(&health)).await?;
        Ok(Self {
            port,
            _process: process,
        })
    }

    /// Where it is asked: `http://127.0.0.1:<port>/prometheus`, as its documentation has it.
    pub fn url(&self) -> String {
        format!("http://{}/prometheus", self.port.address())
    }
}
