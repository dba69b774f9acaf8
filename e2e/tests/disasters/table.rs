//! Figures side by side, said at the end of a disaster and kept in a file.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A column for each way to play, a row for each figure.
pub(crate) struct Table {
    title: String,
    text: String,
}

const FIRST: usize = 44;
const WIDTH: usize = 22;

impl Table {
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        let mut table = Self {
            title: title.to_owned(),
            text: String::new(),
        };
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        table.row("", &columns);
        table
    }

    pub(crate) fn row(&mut self, what: &str, values: &[String]) {
        let _ = write!(self.text, "  {what:<FIRST$}"); // a String takes everything
        for value in values {
            let _ = write!(self.text, "{value:>WIDTH$}");
        }
        self.text.push('\n');
    }

    /// Shows it, and keeps it in the folder of logs under this name.
    pub(crate) fn tell(&self, name: &str) -> Result<()> {
        let text = format!("\n{}\n{}", self.title, self.text);
        e2e::progress::say(&text);
        let folder = e2e::paths::cache()?.join("logs/disasters");
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let file = folder.join(format!("{name}.txt"));
        fs::write(&file, &text).with_context(|| format!("{}", file.display()))?;
        e2e::progress::say(format!("  kept in {}", file.display()));
        Ok(())
    }
}

/// The latency that so many of a hundred did not exceed (nearest rank).
pub(crate) fn percentile(latencies: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut sorted: Vec<Duration> = latencies.collect();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// In percent; of none, all.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    100.0 * number(part) / number(whole)
}

/// As in `73.2 % (of 410)`.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    format!("{:.1} % of {whole}", share(part, whole))
}

/// As in `12 ms` or `3.41 s`.
pub(crate) fn short(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}
