//! The control groups of a node's pods: the one thing of a node that the kernel does not remove
//! with its processes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// What a kubelet wants to have in its hands, where the hierarchy is one for all (version 2).
const CONTROLLERS: &str = "+cpuset +cpu +io +memory +hugetlb +pids";

const PREFIX: &str = "brownout-";

/// The group of the run with this name, as the kubelet is told it.
pub(super) fn name(run: &str) -> String {
    format!("{PREFIX}{run}")
}

/// The names of the runs whose groups there are.
pub(crate) fn runs() -> Vec<String> {
    let hierarchies = hierarchies(Path::new(ROOT));
    let groups = hierarchies.iter().flat_map(fs::read_dir).flatten();
    let mut runs: Vec<String> = groups
        .flatten()
        .filter_map(|group| Some(group.file_name().to_str()?.strip_prefix(PREFIX)?.to_owned()))
        .collect();
    runs.sort();
    runs.dedup();
    runs
}

/// Makes the group in every hierarchy.
pub(super) fn create(run: &str) -> Result<()> {
    let root = Path::new(ROOT);
    for hierarchy in hierarchies(root) {
        let group = hierarchy.join(name(run));
        fs::create_dir(&group).with_context(|| format!("cannot make {}", group.display()))?;
        if hierarchy.join("cgroup.subtree_control").is_file() {
            delegate(&hierarchy);
        }
        copy_cpuset(&hierarchy, &group)?;
    }
    Ok(())
}

/// Removes what is left of the group. Its processes must be gone.
pub(crate) fn remove(run: &str) {
    for hierarchy in hierarchies(Path::new(ROOT)) {
        remove_tree(&hierarchy.join(name(run)));
    }
}

/// Where control groups are made: one folder per controller (version 1), or one for all.
pub(super) fn hierarchies(root: &Path) -> Vec<PathBuf> {
    if root.join("cgroup.procs").is_file() {
        return vec![root.to_path_buf()];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) // links are second names
        .map(|entry| entry.path())
        .filter(|path| path.join("cgroup.procs").is_file())
        .collect();
    folders.sort();
    folders
}

/// One at a time: a controller that is not there would spoil the others.
fn delegate(hierarchy: &Path) {
    for controller in CONTROLLERS.split(' ') {
        // what cannot be delegated is missed by the kubelet, which says so better than we could
        let _ = fs::write(hierarchy.join("cgroup.subtree_control"), controller);
    }
}

/// A new group of version 1 has no processors and no memory, and takes no process until it has.
fn copy_cpuset(hierarchy: &Path, group: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (hierarchy.join(file), group.join(file));
        if from.is_file() && to.is_file() {
            let value = fs::read_to_string(&from)?;
            fs::write(&to, value).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    Ok(())
}

/// The files in a control group cannot and need not be removed: its folder goes as it is.
fn remove_tree(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(group); // mostly there is none; one that is held stays for the next run
}
