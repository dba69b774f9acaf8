//! The scheduler, which places pods on nodes.

use std::path::Path;

use anyhow::Result;

use crate::apiserver::Keys;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;

/// A running scheduler. There is nothing to wait for: pods wait for it.
#[derive(Debug)]
pub(crate) struct Scheduler {
    _process: Process,
    _port: Port,
}

impl Scheduler {
    pub(crate) fn start(
        run: &RunDir,
        program: &Path,
        kubeconfig: &Path,
        keys: &Keys,
    ) -> Result<Self> {
        let port = Port::reserve()?;
        let spec = Spec::new("kube-scheduler", program)
            .flag("kubeconfig", kubeconfig)
            .flag("authentication-kubeconfig", kubeconfig)
            .flag("authorization-kubeconfig", kubeconfig)
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", port.number().to_string())
            .flag("tls-cert-file", &keys.server.cert)
            .flag("tls-private-key-file", &keys.server.key)
            .flag("leader-elect", "false")
            .flag("profiling", "false");
        Ok(Self {
            _process: Process::start(run, &spec)?,
            _port: port,
        })
    }
}
