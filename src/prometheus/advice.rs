//! What a user should know about a typed signal and cannot see in its readings.

use crate::policy::Direction;
use crate::time::Span;

use super::signals::SignalQueries;

/// A comparison's threshold, as far as advice needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// Index of the signal.
    pub signal: usize,
    /// The side on which it is breached.
    pub direction: Direction,
    /// Breached when strictly past this.
    pub value: f64,
    /// As the user wrote it.
    pub text: String,
}

/// Something a user should know about a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// Index of the signal.
    pub signal: usize,
    /// What it is.
    pub kind: AdviceKind,
    /// A sentence for the user. It stays the same while what it says is so.
    pub message: String,
}

/// What there is to know.
#[derive(Clone, Debug, PartialEq)]
pub enum AdviceKind {
    /// A threshold that no reading can ever exceed: it is at or above the highest bucket.
    Unreachable {
        /// The threshold as the user wrote it.
        threshold: String,
        /// The histogram's highest finite bound.
        top: f64,
    },
    /// There is traffic, but nothing that `errors` selects: a typo, or a bot that does not create
    /// its error series at 0 when it starts.
    ErrorsSelectNothing,
    /// No series within the window.
    NoSeries,
    /// Series with one sample in the window: a rate needs two.
    WindowTooShort,
}

impl AdviceKind {
    /// A word for it, as Events and the live JSON use it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::ErrorsSelectNothing => "ErrorsSelectNothing",
            Self::NoSeries => "NoSeries",
            Self::WindowTooShort => "WindowTooShort",
        }
    }
}

/// What the server said to a signal's advice queries; `None` where it could not be asked or gave no
/// number for another reason than that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// The highest finite bucket.
    pub(super) top: Option<f64>,
    /// Samples in the window; 0 where there is no series.
    pub(super) samples: Option<f64>,
    /// Samples in the window before.
    pub(super) samples_before: Option<f64>,
    /// Samples of the error series.
    pub(super) errors: Option<f64>,
}

/// The advice that the facts about one signal give.
pub(super) fn of_signal(
    index: usize,
    signal: &SignalQueries,
    facts: &Facts,
    thresholds: &[Threshold],
) -> Vec<Advice> {
    let name = &signal.name;
    let window = signal.window.unwrap_or(Span::ZERO);
    let advice = |kind, message| Advice {
        signal: index,
        kind,
        message,
    };
    let mut all = Vec::new();
    match (facts.samples, facts.samples_before) {
        (Some(0.0), _) => all.push(advice(
            AdviceKind::NoSeries,
            format!("{name} selects no series: check the metric's name and the matchers"),
        )),
        // one sample before as well, so this is no bot that has just started
        (Some(1.0), Some(1.0)) => all.push(advice(
            AdviceKind::WindowTooShort,
            format!("{name} has one sample in its window of {window} and needs two: set window to at least four scrape intervals"),
        )),
        (Some(_), _) if facts.errors == Some(0.0) => all.push(advice(
            AdviceKind::ErrorsSelectNothing,
            format!("{name}: errors selects no series, so it reads 0 whatever happens: check the matchers, or have the bot create its error series at 0 when it starts"),
        )),
        _ => {}
    }
    if let Some(top) = facts.top {
        let out_of_reach = thresholds
            .iter()
            .filter(|t| t.signal == index && t.direction == Direction::Above && t.value >= top);
        all.extend(out_of_reach.map(|t| {
            let kind = AdviceKind::Unreachable {
                threshold: t.text.clone(),
                top,
            };
            let text = &t.text;
            advice(kind, format!("above {text}: {name} can never exceed {top}, its highest bucket: lower it or add buckets"))
        }));
    }
    all
}
