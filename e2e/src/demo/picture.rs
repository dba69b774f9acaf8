//! A story drawn as SVG, from what was recorded: load, commands' latency, levels and features over
//! one axis of time. It brings its own background, so that it reads on light and dark pages alike.

mod canvas;

use std::time::Duration;

use brownout::policy::State;

use super::changes::{Change, stretches};
use super::figures::Figures;
use super::record::{Obeyed, Record};
use super::story::{Kind, PHASES, begin};
use canvas::{Canvas, LEFT, RIGHT, x};

/// One point of the latency curve is the p95 of so much time.
const BIN: Duration = Duration::from_secs(2);
/// Some of each tier: all of a tier look alike.
const FEATURES: [&str; 5] = ["animations", "summaries", "search", "ai-chat", "commands"];

/// A panel: where it is, and how high.
#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    height: f64,
}

const LOAD: Panel = Panel {
    top: 50.0,
    height: 50.0,
};
const LATENCY: Panel = Panel {
    top: 135.0,
    height: 110.0,
};
const LEVELS: Panel = Panel {
    top: 280.0,
    height: 90.0,
};
const STATES: Panel = Panel {
    top: 405.0,
    height: 100.0,
};

impl Panel {
    fn bottom(self) -> f64 {
        self.top + self.height
    }

    /// The place of a value, of which `full` is the panel's top.
    fn y(self, value: f64, full: f64) -> f64 {
        self.bottom() - self.height * (value / full).clamp(0.0, 1.0)
    }
}

/// The picture of a story that is over.
pub(super) fn svg(record: &Record, changes: &[Change]) -> String {
    let end = record.elapsed();
    let mut canvas = Canvas::new(end);
    load(&mut canvas);
    latency(&mut canvas, record);
    levels(&mut canvas, &stretches(changes, end));
    features(&mut canvas, &record.obeyed(), end);
    canvas.time_axis(STATES.bottom() + 8.0);
    canvas.finish()
}

fn load(canvas: &mut Canvas) {
    canvas.caption(LOAD.top, "load", "messages a second");
    let most = PHASES.iter().map(|phase| phase.rate).max().unwrap_or(1);
    for (number, phase) in PHASES.iter().enumerate() {
        let (from, to) = (canvas.at(begin(number)), canvas.at(begin(number + 1)));
        let y = LOAD.y(phase.rate.into(), most.into());
        canvas.rect("load", from, y, to - from, LOAD.bottom() - y);
        let text = format!("{} {}/s", phase.name, phase.rate);
        canvas.text(
            "small middle",
            f64::midpoint(from, to),
            LOAD.top - 6.0,
            &text,
        );
    }
    canvas.line("axis", (LEFT, LOAD.bottom()), (RIGHT, LOAD.bottom()));
}

fn latency(canvas: &mut Canvas, record: &Record) {
    canvas.caption(LATENCY.top, "commands", "p95 as users see it");
    let answers = record.answers();
    let bins = begin(PHASES.len()).div_duration_f64(BIN).ceil();
    let mut points = Vec::new();
    let mut from = Duration::ZERO;
    while from.div_duration_f64(BIN) < bins {
        let figures = Figures::of(&answers, Kind::Command, from, from + BIN);
        if let Some(p95) = figures.percentile(95) {
            points.push((from + BIN / 2, p95));
        }
        from += BIN;
    }
    let longest = points.iter().map(|point| point.1).max().unwrap_or_default();
    // whole seconds, so that the grid's numbers are round
    let full = longest.as_secs_f64().ceil().max(1.0);
    for share in [0.0, 0.5, 1.0] {
        let y = LATENCY.y(full * share, full);
        canvas.line(
            if share > 0.0 { "grid" } else { "axis" },
            (LEFT, y),
            (RIGHT, y),
        );
        canvas.text(
            "small end",
            LEFT - 6.0,
            y + 4.0,
            &format!("{} s", full * share),
        );
    }
    let points: Vec<_> = points
        .into_iter()
        .map(|(at, p95)| (canvas.at(at), LATENCY.y(p95.as_secs_f64(), full)))
        .collect();
    canvas.curve("latency", &points);
}

fn levels(canvas: &mut Canvas, stretches: &[(usize, String, Duration, Duration)]) {
    canvas.caption(LEVELS.top, "level", "the operator decides");
    let most = stretches.iter().map(|stretch| stretch.0).max().unwrap_or(0);
    let step = LEVELS.height / x(most + 1);
    for (level, name, from, to) in stretches {
        let (from, to) = (canvas.at(*from), canvas.at(*to));
        let y = LEVELS.top + step * x(*level);
        canvas.rect(
            &format!("level{}", (*level).min(3)),
            from,
            y + 1.0,
            to - from,
            step - 2.0,
        );
        canvas.text(
            "name",
            from + 5.0,
            y + step / 2.0 + 4.0,
            &canvas::fitting(name, to - from),
        );
    }
    canvas.line("axis", (LEFT, LEVELS.bottom()), (RIGHT, LEVELS.bottom()));
}

fn features(canvas: &mut Canvas, obeyed: &[Obeyed], end: Duration) {
    canvas.caption(STATES.top, "features", "the bot obeys");
    let height = STATES.height / x(FEATURES.len());
    for (row, feature) in FEATURES.into_iter().enumerate() {
        let y = STATES.top + height * x(row);
        for (state, from, to) in spans(obeyed, feature, end) {
            let (from, to) = (canvas.at(from), canvas.at(to));
            let (class, word) = match state {
                State::Enabled => ("on", "on"),
                State::Reduced => ("reduced", "reduced"),
                State::Disabled => ("off", "off"),
            };
            canvas.rect(class, from, y + 1.0, to - from, height - 2.0);
            let whole = canvas::fitting(&format!("{feature} {word}"), to - from);
            let text = if whole.is_empty() { word } else { &whole };
            let text = canvas::fitting(text, to - from);
            canvas.text("name", from + 5.0, y + height / 2.0 + 4.0, &text);
        }
    }
}

/// What a feature was, from when to when.
fn spans(obeyed: &[Obeyed], feature: &str, end: Duration) -> Vec<(State, Duration, Duration)> {
    let mut spans: Vec<(State, Duration, Duration)> = Vec::new();
    for seen in obeyed {
        let state = seen.status.state(feature);
        match spans.last_mut() {
            Some(last) if last.0 == state => {}
            last => {
                if let Some(last) = last {
                    last.2 = seen.at;
                }
                spans.push((state, seen.at, end));
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bot::{Feature, Status};
    use crate::demo::watch::Replicas;

    #[test]
    fn equal_states_are_one_span() {
        let seen = |second, state| Obeyed {
            at: Duration::from_secs(second),
            status: Status {
                level: 0,
                level_name: String::new(),
                epoch: None,
                features: vec![Feature {
                    name: "animations".to_owned(),
                    state,
                }],
            },
        };
        let (on, off) = (State::Enabled, State::Disabled);
        let obeyed = [seen(0, on), seen(3, off), seen(5, off), seen(8, on)];
        let spans = spans(&obeyed, "animations", Duration::from_secs(9));
        let seconds = spans
            .iter()
            .map(|(state, from, to)| (*state, from.as_secs(), to.as_secs()));
        assert_eq!(
            seconds.collect::<Vec<_>>(),
            [(on, 0, 3), (off, 3, 8), (on, 8, 9)]
        );
    }

    #[test]
    fn a_story_without_a_change_can_be_drawn() {
        let svg = svg(&Record::begin(Replicas::new()), &[]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && svg.contains(">Normal<"));
    }
}
