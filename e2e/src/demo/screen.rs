//! The story on a terminal, drawn again and again in the same place.

use std::fmt::Write as _;
use std::time::Duration;

use brownout::policy::State;
use console::{Term, style, truncate_str};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::figures::{Figures, clock, short};
use super::record::{Answer, Record};
use super::story::{Kind, PHASES, begin, phase_at};
use super::watch::{Comparison, Live, Replicas, SignalReading};

const DRAW_EVERY: Duration = Duration::from_millis(250);
/// What counts as recent.
const RECENT: Duration = Duration::from_secs(5);
const BAR: u16 = 32;

/// Until it is over; the last picture stays.
pub(super) async fn show(record: &Record, over: &CancellationToken) {
    let term = Term::buffered_stderr();
    let mut ticks = interval(DRAW_EVERY);
    let mut height = 0;
    let mut going_on = true;
    while going_on {
        going_on = over.run_until_cancelled(ticks.tick()).await.is_some();
        let width = usize::from(term.size().1);
        let lines = draw(record);
        // a terminal that cannot be written to has nobody in front of it
        let _ = term.clear_last_lines(height);
        for line in &lines {
            // a line that wraps would be cleared as one and stand as two
            let _ = term.write_line(&truncate_str(line, width.saturating_sub(1), "…"));
        }
        let _ = term.flush();
        height = lines.len();
    }
}

fn draw(record: &Record) -> Vec<String> {
    let at = record.elapsed();
    let latest = record.latest();
    let mut lines = vec![
        String::new(),
        headline(at),
        level(latest.live.as_ref()),
        String::new(),
    ];
    if let Some(live) = &latest.live {
        lines.extend(
            live.signals
                .iter()
                .map(|signal| bar(signal, &live.comparisons)),
        );
    }
    let answers = record.answers();
    let kinds = Kind::ALL.map(|(name, kind)| title(name, &recent(&answers, at, kind)));
    lines.extend([
        String::new(),
        title("features", &features(record)),
        title("workers", &workers(record.baseline(), &latest.replicas)),
    ]);
    lines.extend(kinds);
    lines.push(String::new());
    lines
}

fn title(name: &str, text: &str) -> String {
    format!("  {}  {text}", style(format!("{name:>12}")).dim())
}

fn headline(at: Duration) -> String {
    let phase = &PHASES[phase_at(at)];
    let end = begin(PHASES.len());
    let load = format!("{} messages a second", phase.rate);
    let rest = if at < end {
        load
    } else {
        "no load any more".to_owned()
    };
    title(&clock(at), &format!("{}: {rest}", style(phase.name).bold()))
}

fn level(live: Option<&Live>) -> String {
    let Some(live) = live else {
        return title("level", "waiting for the operator");
    };
    let name = format!("{} {}", live.level, live.level_name);
    let name = match live.level {
        0 => style(name).green(),
        1 => style(name).yellow(),
        _ => style(name).red(),
    };
    let why = live.sentence.as_deref().unwrap_or_default();
    title("level", &format!("{}  {}", name.bold(), style(why).dim()))
}

/// A reading against its thresholds: each a mark, the highest near the bar's end.
fn bar(signal: &SignalReading, comparisons: &[Comparison]) -> String {
    let mut marks: Vec<(f64, usize)> = comparisons
        .iter()
        .filter(|comparison| comparison.signal == signal.name)
        .filter_map(|comparison| Some((comparison.threshold.parse().ok()?, comparison.level)))
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(value) = signal.value else {
        let why = signal.unknown.as_deref().unwrap_or("not asked yet");
        return title(&signal.name, &style(why).dim().to_string());
    };
    let full = marks.last().map_or(1.0, |mark| mark.0) * 1.1;
    let mut cells = String::new();
    for cell in 0..BAR {
        let (from, to) = (edge(cell, full), edge(cell + 1, full));
        let mark = marks.iter().any(|mark| (from..to).contains(&mark.0));
        let passed = marks.iter().filter(|mark| value > mark.0).count();
        let glyph = match (from < value, mark) {
            (true, false) => "█",
            (false, false) => "·",
            (_, true) => "┃",
        };
        let glyph = match passed {
            0 => style(glyph).green(),
            1 => style(glyph).yellow(),
            _ => style(glyph).red(),
        };
        let _ = write!(cells, "{glyph}");
    }
    let rungs = marks
        .iter()
        .map(|(at, level)| format!("{level} above {at}"));
    let rungs = rungs.collect::<Vec<_>>().join(", ");
    title(
        &signal.name,
        &format!("{cells} {value:>7.2}  {}", style(rungs).dim()),
    )
}

fn edge(cell: u16, full: f64) -> f64 {
    full * f64::from(cell) / f64::from(BAR)
}

/// The bot's features, as it obeys them: what is off or less by name, since there are many.
pub(super) fn features(record: &Record) -> String {
    let Some(last) = record.obeyed().pop() else {
        return "not known yet".to_owned();
    };
    let features = &last.status.features;
    let names = |state| {
        let those = features.iter().filter(|feature| feature.state == state);
        those
            .map(|feature| feature.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (off, less) = (names(State::Disabled), names(State::Reduced));
    let mut parts = Vec::new();
    if !off.is_empty() {
        parts.push(format!("{} {off}", style("off").for_stderr().red()));
    }
    if !less.is_empty() {
        parts.push(format!("{} {less}", style("reduced").for_stderr().yellow()));
    }
    let rest = if parts.is_empty() { "all" } else { "the rest" };
    let on = features
        .iter()
        .filter(|feature| feature.state == State::Enabled)
        .count();
    parts.push(format!(
        "{} {rest} ({on})",
        style("on").for_stderr().green()
    ));
    parts.join("   ")
}

fn workers(baseline: &Replicas, now: &Replicas) -> String {
    let words = baseline.iter().map(|(name, had)| {
        let had = had.unwrap_or_default();
        match now.get(name).copied().flatten() {
            Some(count) if count != had => {
                format!("{name} {}", style(format!("{had} → {count}")).yellow())
            }
            _ => format!("{name} {had}"),
        }
    });
    words.collect::<Vec<_>>().join("   ")
}

/// How the last few seconds' messages fared, with those that still wait left out.
pub(super) fn recent(answers: &[Answer], now: Duration, kind: Kind) -> String {
    let figures = Figures::of(answers, kind, now.saturating_sub(RECENT), now);
    let mut text = format!(
        "p50 {}, p95 {}",
        short(figures.percentile(50)),
        short(figures.percentile(95))
    );
    for (count, what) in [(figures.declined, "declined"), (figures.failed, "failed")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}
