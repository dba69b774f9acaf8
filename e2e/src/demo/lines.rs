//! The story in plain lines, for where there is no terminal: at every change, and every 5 s.

use std::time::Duration;

use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::figures::clock;
use super::record::Record;
use super::screen::{features, recent};
use super::story::{Kind, PHASES, phase_at};
use crate::progress::say;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Until it is over.
pub(super) async fn show(record: &Record, over: &CancellationToken) {
    let mut looks = interval(LOOK_EVERY);
    let (mut shown, mut said) = (None, Instant::now());
    while over.run_until_cancelled(looks.tick()).await.is_some() {
        let now = (level(record), phase_at(record.elapsed()));
        if shown.as_ref() != Some(&now) || said.elapsed() >= LINE_EVERY {
            say(line(record));
            (shown, said) = (Some(now), Instant::now());
        }
    }
}

fn level(record: &Record) -> String {
    let live = record.latest().live;
    live.map_or_else(
        || "-".to_owned(),
        |live| format!("{} {}", live.level, live.level_name),
    )
}

fn line(record: &Record) -> String {
    let at = record.elapsed();
    let phase = &PHASES[phase_at(at)];
    let latest = record.latest();
    let signals = latest.live.iter().flat_map(|live| &live.signals);
    let signals = signals.map(|signal| match (signal.value, &signal.unknown) {
        (Some(value), _) => format!("{} {value:.2}", signal.name),
        (None, unknown) => format!("{} {}", signal.name, unknown.as_deref().unwrap_or("-")),
    });
    let answers = record.answers();
    let kinds = Kind::ALL.map(|(name, kind)| format!("{name} {}", recent(&answers, at, kind)));
    format!(
        "{} {} ({}/s) | {} | {} | {} | {}",
        clock(at),
        phase.name,
        phase.rate,
        level(record),
        signals.collect::<Vec<_>>().join(", "),
        features(record),
        kinds.join(" | "),
    )
}
