//! The figures of a story, as text.

use std::fmt::Write as _;
use std::time::Duration;

use super::changes::{Change, relief, stretches};
use super::figures::{Figures, clock, short};
use super::record::{Answer, Record};
use super::story::{Kind, PHASES, begin};

/// Everything worth telling, with the words of how it was run.
pub(super) fn text(way: &str, record: &Record, changes: &[Change]) -> String {
    let answers = record.answers();
    [
        format!("\n{way}"),
        phases(&answers),
        levels(record, changes),
        arrival(changes),
        proof(record, changes),
    ]
    .join("\n")
}

fn phases(answers: &[Answer]) -> String {
    let mut text = format!(
        "\n{:<11}{:<10}{:>6}{:>10}{:>10}{:>10}{:>11}{:>10}\n",
        "load", "messages", "sent", "p50", "p95", "p99", "answered", "declined"
    );
    for (number, phase) in PHASES.iter().enumerate() {
        let (from, to) = (begin(number), begin(number + 1));
        for (name, kind) in Kind::ALL {
            let figures = Figures::of(answers, kind, from, to);
            let load = if kind == Kind::Command {
                phase.name
            } else {
                ""
            };
            text.push_str(&row(load, name, &figures));
        }
    }
    let _ = writeln!(
        text,
        "{} messages in all, each timed from when it was due.",
        answers.len()
    );
    text
}

fn row(load: &str, name: &str, figures: &Figures) -> String {
    let percentile = |percent| short(figures.percentile(percent));
    format!(
        "{load:<11}{name:<10}{:>6}{:>10}{:>10}{:>10}{:>9.1} %{:>10}\n",
        figures.sent,
        percentile(50),
        percentile(95),
        percentile(99),
        figures.success(),
        figures.declined,
    )
}

fn levels(record: &Record, changes: &[Change]) -> String {
    let mut text = String::from("levels\n");
    for change in changes {
        let lag = short(change.lag());
        let _ = writeln!(
            text,
            "  {:>5}  {} -> {} {:<14} {}; the bot obeyed after {lag}",
            clock(change.at),
            change.from,
            change.to,
            change.name,
            change.cause
        );
    }
    let mut total: Vec<(usize, String, Duration)> = Vec::new();
    for (level, name, from, to) in stretches(changes, record.elapsed()) {
        let stood = to.saturating_sub(from);
        match total.iter_mut().find(|known| known.0 == level) {
            Some(known) => known.2 += stood,
            None => total.push((level, name, stood)),
        }
    }
    total.sort_by_key(|known| known.0);
    let stood = total
        .iter()
        .map(|(_, name, stood)| format!("{name} {:.1} min", stood.as_secs_f64() / 60.0));
    let _ = writeln!(text, "  in all: {}", stood.collect::<Vec<_>>().join(", "));
    text
}

fn arrival(changes: &[Change]) -> String {
    let mut lags: Vec<Duration> = changes.iter().filter_map(Change::lag).collect();
    lags.sort_unstable();
    let middle = lags.get(lags.len() / 2).copied();
    format!(
        "flags, from the tick that decided to the bot that obeyed: median {}, longest {}\n",
        short(middle),
        short(lags.last().copied())
    )
}

/// The point of it all: the same load, the same machine, only less to do.
fn proof(record: &Record, changes: &[Change]) -> String {
    let Some(relief) = relief(record, changes) else {
        return "nothing was shed\n".to_owned();
    };
    let p95 = |figures: &Figures| short(figures.percentile(95));
    format!(
        "commands' p95 in the {}: {} before shedding, {} while the queue drained, {} from then on\n",
        PHASES[relief.phase].name,
        p95(&relief.before),
        p95(&relief.draining),
        p95(&relief.after)
    )
}
