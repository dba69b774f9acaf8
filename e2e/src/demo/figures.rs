//! Counting answers.

use std::time::Duration;

use super::record::{Answer, Outcome};
use super::story::Kind;

/// How messages of one kind fared.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Figures {
    /// The answered ones' latencies, sorted.
    latencies: Vec<Duration>,
    pub(super) sent: usize,
    pub(super) declined: usize,
    pub(super) failed: usize,
}

impl Figures {
    /// Counts those of a kind that were to be sent in a stretch of time.
    pub(super) fn of(answers: &[Answer], kind: Kind, from: Duration, to: Duration) -> Self {
        let wanted = |answer: &&Answer| answer.kind == kind && (from..to).contains(&answer.at);
        let mut figures = Self::default();
        for answer in answers.iter().filter(wanted) {
            figures.sent += 1;
            match answer.outcome {
                Outcome::Answered => figures.latencies.push(answer.latency),
                Outcome::Declined => figures.declined += 1,
                Outcome::Failed => figures.failed += 1,
            }
        }
        figures.latencies.sort_unstable();
        figures
    }

    pub(super) fn answered(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that so many of a hundred answers did not exceed (nearest rank).
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies.get(rank.checked_sub(1)?).copied()
    }

    /// The share of those sent that were answered, in percent; of none, all.
    pub(super) fn success(&self) -> f64 {
        if self.sent == 0 {
            return 100.0;
        }
        100.0 * count(self.answered()) / count(self.sent)
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// `7 ms`, `1.23 s`, or a dash where there is nothing to tell.
pub(super) fn short(latency: Option<Duration>) -> String {
    match latency {
        None => "-".to_owned(),
        Some(latency) if latency < Duration::from_secs(1) => format!("{} ms", latency.as_millis()),
        Some(latency) => format!("{:.2} s", latency.as_secs_f64()),
    }
}

/// `1:07`.
pub(super) fn clock(at: Duration) -> String {
    format!("{}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(second: u64, millis: u64, outcome: Outcome) -> Answer {
        Answer {
            at: Duration::from_secs(second),
            kind: Kind::Command,
            latency: Duration::from_millis(millis),
            outcome,
        }
    }

    #[test]
    fn counts_what_was_to_be_sent_then() {
        let mut answers: Vec<_> = (1..=100)
            .rev()
            .map(|millis| answer(5, millis, Outcome::Answered))
            .collect();
        answers.push(answer(5, 9000, Outcome::Failed));
        answers.push(answer(9, 5000, Outcome::Answered));
        let seconds = Duration::from_secs;
        let figures = Figures::of(&answers, Kind::Command, seconds(5), seconds(9));
        assert_eq!(
            (figures.sent, figures.answered(), figures.failed),
            (101, 100, 1)
        );
        for percent in [50, 95, 99, 100] {
            let millis = u64::try_from(percent).unwrap();
            assert_eq!(
                figures.percentile(percent),
                Some(Duration::from_millis(millis))
            );
        }
        assert!((figures.success() - 99.0).abs() < 0.1);
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Figures::default().percentile(95), None);
        assert_eq!(short(None), "-");
    }
}
