//! etcd, the store behind the API server.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::http;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

const READY: Duration = Duration::from_secs(60);

/// A running etcd with one member on the loopback interface.
#[derive(Debug)]
pub(crate) struct Etcd {
    _process: Process,
    client: Port,
    _peer: Port,
}

impl Etcd {
    pub(crate) async fn start(run: &RunDir, program: &Path) -> Result<Self> {
        let (client, peer) = (Port::reserve()?, Port::reserve()?);
        let client_url = format!("http://{}", client.address());
        let peer_url = format!("http://{}", peer.address());
        let spec = Spec::new("etcd", program)
            .flag("data-dir", run.subfolder("etcd")?)
            .flag("listen-client-urls", &client_url)
            .flag("advertise-client-urls", &client_url)
            .flag("listen-peer-urls", &peer_url)
            .flag("initial-advertise-peer-urls", &peer_url)
            .flag("initial-cluster", format!("default={peer_url}"))
            .arg("--unsafe-no-fsync") // the data lives no longer than the run
            .flag("log-level", "warn");
        let process = Process::start(run, &spec)?;
        let health = format!("{client_url}/health");
        process.await_ready(READY, || http::is_ok(&health)).await?;
        Ok(Self {
            _process: process,
            client,
            _peer: peer,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.client.address())
    }
}
