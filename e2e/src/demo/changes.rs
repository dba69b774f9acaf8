//! The changes of level: when the operator decided them, and when the bot obeyed.

use std::time::Duration;

use brownout::api::HistoryEntry;

use super::figures::Figures;
use super::record::{Obeyed, Record};
use super::story::{Kind, begin, phase_at};

/// One change of level.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// When it was decided.
    pub(super) at: Duration,
    pub(super) from: usize,
    pub(super) to: usize,
    /// The name of the level that was reached.
    pub(super) name: String,
    /// `latency-p95 was 0.81, above 0.4`, or the reason in one word.
    pub(super) cause: String,
    /// When the bot was first seen to obey it.
    pub(super) obeyed: Option<Duration>,
}

impl Change {
    /// From the decision to the bot.
    pub(super) fn lag(&self) -> Option<Duration> {
        Some(self.obeyed?.saturating_sub(self.at))
    }
}

/// Every change, in order.
pub(super) fn changes(record: &Record, history: &[HistoryEntry]) -> Vec<Change> {
    let obeyed = record.obeyed();
    history
        .iter()
        .map(|entry| {
            let at = record.since_begin(entry.at.timestamp());
            let (from, to) = (level(entry.from), level(entry.to));
            let heard = heard(&obeyed, at, to);
            Change {
                at,
                from,
                to,
                name: heard.map_or_else(|| format!("level {to}"), |o| o.status.level_name.clone()),
                cause: cause(entry),
                obeyed: heard.map(|obeyed| obeyed.at),
            }
        })
        .collect()
}

fn level(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn heard(obeyed: &[Obeyed], at: Duration, level: usize) -> Option<&Obeyed> {
    obeyed
        .iter()
        .find(|seen| seen.at >= at && seen.status.level == level)
}

fn cause(entry: &HistoryEntry) -> String {
    match (&entry.signal, &entry.value, &entry.threshold) {
        (Some(signal), Some(value), Some(threshold)) => {
            let value = value
                .parse::<f64>()
                .map_or_else(|_| value.clone(), |value| format!("{value:.2}"));
            format!("{signal} was {value}, above {threshold}")
        }
        _ => entry.reason.to_lowercase(),
    }
}

/// Each level from when to when it stood, Normal first; a story has an end.
pub(super) fn stretches(
    changes: &[Change],
    end: Duration,
) -> Vec<(usize, String, Duration, Duration)> {
    let first = (0, "Normal".to_owned(), Duration::ZERO);
    let reached = changes
        .iter()
        .map(|change| (change.to, change.name.clone(), change.at));
    let begins: Vec<_> = std::iter::once(first).chain(reached).collect();
    let ends = begins.iter().skip(1).map(|next| next.2).chain([end]);
    let ends: Vec<_> = ends.collect();
    begins
        .into_iter()
        .zip(ends)
        .map(|((level, name, from), to)| (level, name, from, to))
        .collect()
}

/// How long shedding gets to show: what was queued before must be worked off.
const SETTLING: Duration = Duration::from_secs(5);

/// The commands before anything was shed, while the queues drained, and from then on, under the
/// same load.
pub(super) struct Relief {
    pub(super) phase: usize,
    pub(super) before: Figures,
    pub(super) draining: Figures,
    pub(super) after: Figures,
}

/// Where nothing was shed there is none. A slow machine may need more than one rung for its load.
pub(super) fn relief(record: &Record, changes: &[Change]) -> Option<Relief> {
    let mut shed = changes.iter().filter(|change| change.to > change.from);
    let first = shed.next()?.obeyed?;
    let phase = phase_at(first);
    let last = shed
        .filter_map(|change| change.obeyed)
        .take_while(|&at| phase_at(at) == phase);
    let settled = last.last().unwrap_or(first) + SETTLING;
    let answers = record.answers();
    let commands = |from, to| Figures::of(&answers, Kind::Command, from, to);
    Some(Relief {
        phase,
        before: commands(begin(phase), first),
        draining: commands(first, settled),
        after: commands(settled, begin(phase_at(settled) + 1)),
    })
}
