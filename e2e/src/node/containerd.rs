//! containerd, which runs the containers.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::statfs;
use serde_json::Value;
use tokio::sync::Mutex;

use super::network::Network;
use super::requirements::plugins;
use super::sandbox::Sandbox;
use crate::image;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::on_path;
use crate::wait::await_condition;

const READY: Duration = Duration::from_secs(60);
const IMPORTED: Duration = Duration::from_secs(30);
/// Its usual place, in a `/run` that is the node's own: the kubelet's metrics look nowhere else.
const SOCKET: &str = "/run/containerd/containerd.sock";
/// Where the kubelet asks.
pub(super) const ENDPOINT: &str = "unix:///run/containerd/containerd.sock";
/// The namespace of the images that the kubelet sees.
const NAMESPACE: &str = "k8s.io";

/// A running containerd.
#[derive(Debug)]
pub(super) struct Containerd {
    process: Process,
    snapshotter: &'static str,
    /// One at a time: of two that bring the same image, one would find what the other one is writing.
    importing: Mutex<()>,
}

impl Containerd {
    pub(super) async fn start(run: &RunDir, sandbox: &Sandbox, network: Network) -> Result<Self> {
        let folder = sandbox.folder.join("containerd");
        let cni = folder.join("cni");
        network.write_cni(&cni)?;
        let snapshotter = snapshotter(&folder)?;
        let config = folder.join("config.toml");
        fs::write(&config, configuration(&folder, &cni, snapshotter)?)
            .with_context(|| format!("cannot write {}", config.display()))?;
        let program = on_path("containerd").context("there is no containerd")?;
        let spec = Spec::new("containerd", program).flag("config", &config);
        let containerd = Self {
            process: Process::start(run, &sandbox.inside(spec)?)?,
            snapshotter,
            importing: Mutex::default(),
        };
        containerd
            .process
            .await_ready(READY, || async {
                sandbox.run("ctr", &["version"]).await.map(Some)
            })
            .await?;
        for image in [image::pause(), image::busybox()] {
            let archive = folder.join("image.tar");
            image.write(&archive)?;
            containerd.import(sandbox, &archive).await?;
        }
        Ok(containerd)
    }

    /// Reads a docker-archive or OCI archive; gives the images' full names.
    pub(super) async fn import(&self, sandbox: &Sandbox, archive: &Path) -> Result<Vec<String>> {
        let _alone = self.importing.lock().await;
        let why = || format!("cannot import the image {}", archive.display());
        let file = File::open(archive).with_context(why)?; // its path may mean nothing in there
        let kind = format!("--snapshotter={}", self.snapshotter);
        let args = ["-n", NAMESPACE, "images", "import", &kind, "-"];
        let said = sandbox.run_with_input("ctr", &args, file.into()).await;
        let names = imported(&said.with_context(why)?);
        if names.is_empty() {
            bail!("{} holds no image with a name", archive.display());
        }
        for name in &names {
            Self::await_seen(sandbox, name).await?;
        }
        Ok(names)
    }

    /// The kubelet's side of containerd learns of an image by an event and then marks it.
    async fn await_seen(sandbox: &Sandbox, name: &str) -> Result<()> {
        let filter = format!("name=={name}");
        await_condition(&format!("the image {name}"), IMPORTED, || async {
            let list = sandbox
                .run("ctr", &["-n", NAMESPACE, "images", "ls", &filter])
                .await?;
            Ok(list
                .contains("io.cri-containerd.image=managed")
                .then_some(()))
        })
        .await
    }
}

/// `unpacking docker.io/local/pause:1 (sha256:…)...done`, one line for each image.
fn imported(said: &str) -> Vec<String> {
    said.lines()
        .filter_map(|line| line.strip_prefix("unpacking "))
        .filter_map(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn configuration(folder: &Path, cni: &Path, snapshotter: &str) -> Result<String> {
    let plugins = plugins().context("there are no CNI plugins")?;
    let quote = |text: &Path| Value::from(text.to_string_lossy()).to_string(); // as in TOML
    let (root, state) = (quote(&folder.join("root")), quote(&folder.join("state")));
    let (plugins, cni) = (quote(&plugins), quote(cni));
    Ok(format!(
        r#"version = 2
root = {root}
state = {state}
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
# root in a container often may not lower the score of a process, and then no pod would start
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {plugins}
conf_dir = {cni}
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"#,
        pause = image::PAUSE
    ))
}

/// An overlay cannot lie on another one, as the root of a container often is: copies serve, too.
fn snapshotter(folder: &Path) -> Result<&'static str> {
    const OVERLAY: i64 = 0x794c_7630; // OVERLAYFS_SUPER_MAGIC
    let system = statfs(folder).with_context(|| format!("cannot ask for {}", folder.display()))?;
    Ok(match system.f_type {
        OVERLAY => "native",
        _ => "overlayfs",
    })
}
