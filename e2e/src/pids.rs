//! Processes by id, told apart from later ones that were given the same id by their start time.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A process that cannot be mistaken for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// In clock ticks after boot, as the kernel says it.
    start: u64,
}

impl ProcessId {
    /// The running process that has this id now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let start = start_time(pid).with_context(|| format!("there is no process {pid}"))?;
        Ok(Self { pid, start })
    }

    /// This process.
    pub(crate) fn own() -> Result<Self> {
        Self::of(std::process::id())
    }

    /// The processes that its main thread has started and that run now.
    pub(crate) fn children(self) -> Vec<Self> {
        let pid = self.pid;
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        children
            .split_whitespace()
            .filter_map(|child| Self::of(child.parse().ok()?).ok())
            .collect()
    }

    /// Whether this very process still runs. A zombie does not: it only awaits its parent.
    pub(crate) fn is_alive(self) -> bool {
        start_time(self.pid) == Some(self.start)
    }

    /// Sends a signal, unless the process is gone.
    pub(crate) fn signal(self, signal: Signal) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .context("not a process id")?;
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()), // it ended by itself meanwhile
            Err(error) => {
                Err(error).with_context(|| format!("cannot send {signal:?} to process {pid:?}"))
            }
        }
    }

    /// Kills the process and waits until it is gone; for use where nothing can be awaited.
    pub(crate) fn kill_and_wait(self, deadline: Duration) {
        let _ = self.signal(Signal::KILL); // what cannot be killed now is tried again by the next run
        let start = Instant::now();
        while !self.is_gone() && start.elapsed() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether nothing is left of it. A child of ours is let go of (reaped) on the way, which
    /// works only once all its threads are gone.
    fn is_gone(self) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return true;
        };
        match waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(reaped) => reaped.is_some(),
            Err(_) => !self.is_alive(), // no child of ours
        }
    }
}

/// `<pid>-<start>`, as used in file names.
impl std::fmt::Display for ProcessId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.pid, self.start)
    }
}

impl std::str::FromStr for ProcessId {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (pid, start) = text.split_once('-').context("not <pid>-<start>")?;
        Ok(Self {
            pid: pid.parse()?,
            start: start.parse()?,
        })
    }
}

/// Fields 3 (state) and 22 (start time) of `/proc/<pid>/stat`. The name, field 2, is in
/// parentheses and may hold anything, so fields are counted from its end.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_survives_print_and_parse() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert_eq!(own.to_string().parse::<ProcessId>().unwrap(), own);
    }

    #[test]
    fn its_children_are_those_that_it_has_started() {
        // the main thread starts none of the tests' processes, so somebody else's are asked for
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & read -r line"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let shell_id = ProcessId::of(shell.id()).unwrap();
        let begin = Instant::now();
        let children = loop {
            let children = shell_id.children();
            if !children.is_empty() {
                break children;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "none was seen");
            std::thread::yield_now();
        };
        assert_eq!(children.len(), 1);
        assert!(children[0].is_alive());
        children[0].signal(Signal::KILL).unwrap();
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert_eq!(shell_id.children(), []);
    }

    #[test]
    fn another_start_time_is_another_process() {
        let own = ProcessId::own().unwrap();
        let other = ProcessId {
            start: own.start + 1,
            ..own
        };
        assert!(!other.is_alive());
        other.signal(Signal::KILL).unwrap(); // reaches nobody
    }

    #[test]
    fn a_killed_child_is_gone_though_nobody_reaped_it() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let id = ProcessId::of(child.id()).unwrap();
        id.kill_and_wait(Duration::from_secs(5));
        assert!(!id.is_alive());
        assert!(child.wait().is_err(), "it was reaped");
    }
}
