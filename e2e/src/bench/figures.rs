//! Figures as lines of text, printed as they come: a run that is cut short has told what it knew.
#![allow(clippy::print_stdout, reason = "figures are this program's output")]

use std::time::Duration;

/// What the next figures are about.
pub(super) fn heading(what: &str) {
    println!("\n{what}");
}

/// A figure.
pub(super) fn line(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<46} {value}");
}

pub(super) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

pub(super) fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// The value below which so many percent of all lie (nearest rank).
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let all: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&all, 50), Duration::from_millis(100));
        assert_eq!(percentile(&all, 99), Duration::from_millis(198));
        assert_eq!(percentile(&all[..1], 99), Duration::from_millis(1));
    }

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!(mebibytes(15 << 20), "15.0 MiB");
        assert_eq!(mebibytes((3 << 20) / 2), "1.5 MiB");
    }
}
