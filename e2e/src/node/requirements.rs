//! Whether a node can be run on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

use super::cgroups;
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

/// A little of everything that a node does to its namespaces.
const PROBE: &str = "mount -t tmpfs none /mnt && echo 1 > /proc/sys/net/ipv4/ip_forward && \
    ip link add name probe type bridge && nft add table ip probe";

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
    programs_are_there()?;
    cache_is_outside()?;
    kernel_is_open()?;
    may_unshare()
}

fn programs_are_there() -> Result<(), String> {
    let missing: Vec<&str> = COMMANDS
        .iter()
        .filter(|(command, _)| on_path(command).is_none())
        .map(|(_, package)| *package)
        .chain(plugins().is_none().then_some("containernetworking-plugins"))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(" ");
        return Err(format!("programs are missing: apt-get install {missing}"));
    }
    if on_path("busybox").is_none_or(|path| !is_static(&path)) {
        return Err(
            "its images need a busybox without libraries: apt-get install busybox-static".into(),
        );
    }
    Ok(())
}

fn cache_is_outside() -> Result<(), String> {
    let cache = paths::cache().map_err(|error| format!("{error:#}"))?;
    let cache = fs::canonicalize(&cache).unwrap_or(cache); // it may not be there yet
    match OWN_FOLDERS.iter().find(|own| cache.starts_with(own)) {
        Some(folder) => Err(format!(
            "the cache {} lies in {folder}, of which a node has its own: set BROWNOUT_CACHE to another place",
            cache.display()
        )),
        None => Ok(()),
    }
}

fn kernel_is_open() -> Result<(), String> {
    if !Path::new("/dev/kmsg").exists() {
        return Err("the kubelet reads /dev/kmsg, and there is none".into());
    }
    let groups = cgroups::hierarchies(Path::new(cgroups::ROOT));
    if groups.is_empty()
        || groups
            .iter()
            .any(|group| access(group, Access::WRITE_OK).is_err())
    {
        return Err(format!(
            "control groups cannot be made in {}",
            cgroups::ROOT
        ));
    }
    Ok(())
}

/// What is linked with libraries names the program that loads them, near its beginning.
fn is_static(program: &Path) -> bool {
    const LOADER: &[u8] = b"/ld-";
    let beginning = fs::read(program).unwrap_or_default();
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

/// Being root is not enough inside many containers, so it is tried.
fn may_unshare() -> Result<(), String> {
    let output = Command::new("unshare")
        .args(super::sandbox::NAMESPACES)
        .args(["sh", "-c"])
        .arg(PROBE)
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
