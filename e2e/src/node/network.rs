//! The network of a node: a link to this machine, on which it reaches the API server and we
//! reach its pods and Services, and the bridge of its pods.
//!
//! A run's number is part of its addresses. Who makes the link `brownout<number>` has it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::process::Command;

use super::sandbox::{Sandbox, run_to_end};

/// The ranges of the runs; the third byte is the run's number.
const SERVICES: &str = "10.96";
const LINKS: &str = "10.98";
const PODS: &str = "10.99";

/// Addresses that no other run has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    number: u8,
}

impl Network {
    /// Connects the namespaces with this machine.
    pub(super) async fn connect(sandbox: &Sandbox) -> Result<Self> {
        let start = u8::try_from(sandbox.pid() % 256)?; // runs start their search at different places
        for step in 0..=u8::MAX {
            let network = Self {
                number: start.wrapping_add(step),
            };
            if network.claim(sandbox).await? {
                network.configure(sandbox).await?;
                return Ok(network);
            }
        }
        bail!("all 256 networks for nodes are taken: see `ip link`")
    }

    /// Makes the link, unless its name or its addresses are taken.
    async fn claim(self, sandbox: &Sandbox) -> Result<bool> {
        let routes = ip(&["-4", "route", "show"]).await?;
        let taken = [SERVICES, LINKS, PODS].map(|range| format!("{range}.{}.", self.number));
        if routes
            .lines()
            .any(|route| taken.iter().any(|range| route.starts_with(range)))
        {
            return Ok(false);
        }
        let (link, pid) = (self.link(), sandbox.pid().to_string());
        let made = ip(&[
            "link", "add", &link, "type", "veth", "peer", "name", "uplink", "netns", &pid,
        ])
        .await;
        match made {
            Ok(_) => Ok(true),
            Err(_) if Path::new("/sys/class/net").join(&link).exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn configure(self, sandbox: &Sandbox) -> Result<()> {
        let (link, host, node) = (self.link(), self.host(), self.node());
        ip(&["address", "add", &format!("{host}/30"), "dev", &link]).await?;
        ip(&["link", "set", &link, "up"]).await?;
        let address = format!("{node}/30");
        sandbox
            .run("ip", &["address", "add", &address, "dev", "uplink"])
            .await?;
        sandbox.run("ip", &["link", "set", "uplink", "up"]).await?;
        sandbox
            .run("ip", &["route", "add", "default", "via", &host])
            .await?;
        for range in [self.pods(), self.services()] {
            ip(&["route", "add", &range, "via", &node, "dev", &link]).await?;
        }
        Ok(())
    }

    /// The name of this machine's end of the link.
    pub(super) fn link(self) -> String {
        format!("brownout{}", self.number)
    }

    /// This machine, as the node sees it.
    pub(crate) fn host(self) -> String {
        format!("{LINKS}.{}.1", self.number)
    }

    /// The node, as this machine and the pods see it.
    pub(crate) fn node(self) -> String {
        format!("{LINKS}.{}.2", self.number)
    }

    /// The range of the pods.
    pub(crate) fn pods(self) -> String {
        format!("{PODS}.{}.0/24", self.number)
    }

    /// The range of the Services.
    pub(crate) fn services(self) -> String {
        format!("{SERVICES}.{}.0/24", self.number)
    }

    /// The Service `kubernetes`, which has the first address of its range.
    pub(crate) fn kubernetes_service(self) -> String {
        format!("{SERVICES}.{}.1", self.number)
    }

    /// Writes what containerd reads about the pods' network.
    pub(super) fn write_cni(self, folder: &Path) -> Result<()> {
        let config = json!({
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [{
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "hairpinMode": true, // a pod may reach itself through its Service
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": self.pods()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }],
        });
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("10-pods.conflist");
        fs::write(&path, config.to_string())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

async fn ip(args: &[&str]) -> Result<String> {
    run_to_end(Command::new("ip").args(args)).await
}
