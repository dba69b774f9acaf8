//! What a process takes of the machine, as the kernel says it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What a process had taken at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    at: Instant,
    /// Of all its threads.
    pub(super) cpu: Duration,
    /// Resident memory in bytes.
    pub(super) memory: u64,
    /// The most that it ever was.
    pub(super) peak: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(Self {
            at: Instant::now(),
            cpu: cpu(&stat).context("no CPU time in /proc")?,
            memory: kibibytes(&status, "VmRSS:").context("no memory in /proc")? * 1024,
            peak: kibibytes(&status, "VmHWM:").context("no memory in /proc")? * 1024,
        })
    }

    /// Percent of one core since then.
    pub(super) fn percent_since(&self, before: &Self) -> f64 {
        let wall = self.at.duration_since(before.at).as_secs_f64();
        self.cpu.saturating_sub(before.cpu).as_secs_f64() / wall * 100.0
    }
}

/// The load of the machine, which says how far the other figures can be trusted.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(1).collect()
}

/// Fields 14 and 15 of `stat`, counted from behind the name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second().max(1),
    ))
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.memory > 0 && usage.peak >= usage.memory);
    }
}
