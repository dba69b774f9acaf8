//! Whether a node can be run on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cluster::EXISTING;
use crate::paths;
use crate::tools::on_path;

/// Commands, each with the Debian package that it is part of.
const COMMANDS: [(&str, &str); 8] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("busybox", "busybox-static"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
];

/// Where distributions and the plugins' own releases put them.
const PLUGIN_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];
const PLUGINS: [&str; 3] = ["bridge", "host-local", "loopback"];

/// A node has these folders for itself, so nothing that it shares with us can lie in them.
const OWN_FOLDERS: [&str; 2] = ["/run", "/var"];

/// An error says why not, and what to do about it.
pub(super) fn check() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("containers need Linux".into());
    }
    if env::var_os(EXISTING).is_some() {
        return Err(format!(
            "{EXISTING} names a cluster, and only one of our own gets a node"
        ));
    }
    if !rustix::process::geteuid().is_root() {
        return Err("only root may make namespaces, network links and mounts".into());
    }
    let missing: Vec<&str> = COMMANDS
        .iter()
        .filter(|(command, _)| on_path(command).is_none())
        .map(|(_, package)| *package)
        .chain(plugins().is_none().then_some("containernetworking-plugins"))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "programs are missing: apt-get install {}",
            missing.join(" ")
        ));
    }
    if on_path("busybox").is_none_or(|path| !is_static(&path)) {
        return Err(
            "its images need a busybox without libraries: apt-get install busybox-static".into(),
        );
    }
    let cache = paths::cache().map_err(|error| format!("{error:#}"))?;
    if let Some(folder) = OWN_FOLDERS.iter().find(|own| cache.starts_with(own)) {
        let cache = cache.display();
        return Err(format!(
            "the cache {cache} lies in {folder}, of which a node has its own: set BROWNOUT_CACHE to another place"
        ));
    }
    if cgroup_mounts().is_empty() {
        return Err("there are no control groups in /sys/fs/cgroup".into());
    }
    may_unshare()
}

/// What is linked with libraries names the program that loads them, near its beginning.
fn is_static(program: &Path) -> bool {
    const LOADER: &[u8] = b"/ld-";
    let beginning = std::fs::read(program).unwrap_or_default();
    let beginning = &beginning[..beginning.len().min(4096)];
    !beginning.is_empty() && !beginning.windows(LOADER.len()).any(|bytes| bytes == LOADER)
}

/// The folder with the network plugins.
pub(super) fn plugins() -> Option<PathBuf> {
    PLUGIN_FOLDERS
        .iter()
        .map(PathBuf::from)
        .find(|folder| PLUGINS.iter().all(|plugin| folder.join(plugin).is_file()))
}

fn cgroup_mounts() -> Vec<PathBuf> {
    super::cgroups::hierarchies(Path::new(super::cgroups::ROOT))
}

/// Being root is not enough inside many containers, so it is tried.
fn may_unshare() -> Result<(), String> {
    let output = Command::new("unshare")
        .args(super::sandbox::NAMESPACES)
        .args(["sh", "-c"])
        .arg("mount -t tmpfs none /mnt && ip link add name probe type bridge && nft add table ip probe")
        .output()
        .map_err(|error| format!("cannot run unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "this root may not make namespaces with mounts, links and packet filters in them: {}",
        words.trim()
    ))
}
