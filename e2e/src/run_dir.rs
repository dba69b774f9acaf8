//! Every run has a folder of its own and writes down each process that it starts, so that
//! whatever happens to the run, the next one can clean up after it.
//!
//! The folder is named after its owner, `<pid>-<start time>-<n>`: whether the owner still lives
//! can be told from the name alone, and a folder is never without an owner.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::node::cgroups;
use crate::paths;
use crate::pids::ProcessId;
use crate::progress::say;

/// So many log folders of past runs are kept for reading.
const KEPT_LOGS: usize = 10;
const KILL_DEADLINE: Duration = Duration::from_secs(5);
const RECORD: &str = "processes";
/// Set to anything, it keeps the logs of a run that went well, too.
const KEEP_LOGS: &str = "BROWNOUT_KEEP_LOGS";

/// The folder of one run. Dropping it kills what the run started and removes what it stored;
/// logs stay if the run failed.
#[derive(Debug)]
pub struct RunDir {
    data: PathBuf,
    logs: PathBuf,
    started: Mutex<Vec<ProcessId>>,
    keep_logs: AtomicBool,
}

impl RunDir {
    /// Cleans up after dead runs, then makes a folder for this one.
    pub fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let cache = paths::cache()?;
        let (runs, logs) = (cache.join("runs"), cache.join("logs"));
        clean_up(&runs)?;
        prune_logs(&logs);
        let name = format!(
            "{}-{}",
            ProcessId::own()?,
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let run = Self {
            data: runs.join(&name),
            logs: logs.join(format!("run-{name}")),
            started: Mutex::default(),
            keep_logs: AtomicBool::new(env::var_os(KEEP_LOGS).is_some()),
        };
        for folder in [&run.data, &run.logs] {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(run)
    }

    /// What tells this run from all others.
    pub(crate) fn name(&self) -> &str {
        let name = self.data.file_name().and_then(std::ffi::OsStr::to_str);
        name.unwrap_or_default() // never: it is made of numbers
    }

    /// The folder for what dies with the run.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder for logs.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Makes (if need be) and gives a folder inside the data folder.
    pub fn subfolder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.data.join(name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// Leaves the logs in place when the run ends: something failed, and a person will look.
    pub fn keep_logs(&self) {
        self.keep_logs.store(true, Ordering::Relaxed);
    }

    /// Writes down a process that the run has started.
    pub(crate) fn record(&self, id: ProcessId) -> Result<()> {
        let path = self.data.join(RECORD);
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "{id}").with_context(|| format!("cannot write {}", path.display()))?;
        self.processes().push(id);
        Ok(())
    }

    /// Kills everything that the run has started, the latest first, and removes its folder.
    pub fn clean(&self) {
        let started: Vec<ProcessId> = self.processes().drain(..).collect();
        for id in started.iter().rev() {
            id.kill_and_wait(KILL_DEADLINE);
        }
        cgroups::remove(self.name());
        let _ = fs::remove_dir_all(&self.data); // what is left is removed at the next start
        if !self.keep_logs.load(Ordering::Relaxed) {
            let _ = fs::remove_dir_all(&self.logs);
        }
    }

    fn processes(&self) -> std::sync::MutexGuard<'_, Vec<ProcessId>> {
        // a list of ids is never half changed, so a panic elsewhere does not spoil it
        self.started
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        self.clean();
    }
}

/// Kills what runs left behind whose owner is gone, and removes their folders.
fn clean_up(runs: &Path) -> Result<()> {
    fs::create_dir_all(runs).with_context(|| format!("cannot create {}", runs.display()))?;
    for entry in fs::read_dir(runs)? {
        let folder = entry?.path();
        if owner(&folder).is_none_or(ProcessId::is_alive) {
            continue; // it lives, or is none of ours
        }
        let record = fs::read_to_string(folder.join(RECORD)).unwrap_or_default();
        let left: Vec<ProcessId> = record
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect();
        let alive = left.iter().filter(|id| id.is_alive()).count();
        if alive > 0 {
            say(format!(
                "cleaning up after an interrupted run: {alive} processes"
            ));
        }
        for id in left.iter().rev() {
            id.kill_and_wait(KILL_DEADLINE);
        }
        let _ = fs::remove_dir_all(&folder); // two starting runs may do the same work
    }
    for run in cgroups::runs() {
        if owner(Path::new(&run)).is_some_and(|owner| !owner.is_alive()) {
            cgroups::remove(&run);
        }
    }
    Ok(())
}

/// The owner that a run's folder is named after: `[run-]<pid>-<start>-<n>`.
fn owner(folder: &Path) -> Option<ProcessId> {
    let name = folder.file_name()?.to_str()?;
    let name = name.strip_prefix("run-").unwrap_or(name);
    name.rsplit_once('-')?.0.parse().ok()
}

/// Removes the oldest log folders of runs that are over.
fn prune_logs(logs: &Path) {
    let Ok(entries) = fs::read_dir(logs) else {
        return;
    };
    let mut over: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && owner(path).is_some_and(|owner| !owner.is_alive()))
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    over.sort();
    let surplus = over.len().saturating_sub(KEPT_LOGS);
    for (_, path) in over.into_iter().take(surplus) {
        let _ = fs::remove_dir_all(path); // a log too many does no harm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dead owner: a process that has ended and was waited for.
    fn dead() -> ProcessId {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        id
    }

    #[test]
    fn what_a_dead_run_left_is_killed_and_removed() {
        let runs = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let left = ProcessId::of(child.id()).unwrap();
        let folder = runs.path().join(format!("{}-0", dead()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(RECORD), format!("{left}\n")).unwrap();

        clean_up(runs.path()).unwrap();

        assert!(!left.is_alive());
        assert!(child.wait().is_err(), "it was reaped");
        assert!(!folder.exists());
    }

    #[test]
    fn a_living_run_and_a_foreign_folder_are_left_alone() {
        let runs = tempfile::tempdir().unwrap();
        let mine = runs.path().join(format!("{}-0", ProcessId::own().unwrap()));
        let foreign = runs.path().join("notes");
        fs::create_dir(&mine).unwrap();
        fs::create_dir(&foreign).unwrap();

        clean_up(runs.path()).unwrap();

        assert!(mine.exists() && foreign.exists());
    }
}
