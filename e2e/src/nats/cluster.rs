//! Three servers that keep each stream together, as far as it has replicas.

use anyhow::{Context, Result};

use super::Nats;
use crate::ports::Port;
use crate::run_dir::RunDir;

const SERVERS: usize = 3;

/// A cluster on the loopback interface. Dropping it kills it.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<(String, Nats)>,
    /// Where they reach each other.
    _routes: Vec<Port>,
}

impl NatsCluster {
    /// Starts its servers `<name>-0` to `<name>-2`, and waits until each has found the others.
    pub async fn start(run: &RunDir, name: &str) -> Result<Self> {
        let routes: Vec<Port> = (0..SERVERS)
            .map(|_| Port::reserve())
            .collect::<Result<_>>()?;
        let address = |port: &Port| format!("nats://{}", port.address());
        let all = routes.iter().map(address).collect::<Vec<_>>().join(",");
        let mut servers = Vec::with_capacity(SERVERS);
        for (n, port) in routes.iter().enumerate() {
            let server_name = format!("{name}-{n}");
            let server = Nats::begin(run, &server_name, |spec| {
                spec.flag("server_name", &server_name)
                    .flag("cluster_name", name)
                    .flag("cluster", address(port))
                    .flag("routes", &all)
            });
            servers.push((server_name.clone(), server.await?));
        }
        // each is ready only when most are there
        for (_, server) in &servers {
            server.ready().await?;
        }
        Ok(Self {
            servers,
            _routes: routes,
        })
    }

    /// The server of this name.
    pub fn server(&self, name: &str) -> Result<&Nats> {
        let found = self.servers.iter().find(|(other, _)| other == name);
        found.map(|(_, server)| server).context("no such server")
    }

    /// All of them, with commas between them.
    pub fn url(&self) -> String {
        let urls = self.servers.iter().map(|(_, server)| server.url());
        urls.collect::<Vec<_>>().join(",")
    }
}
