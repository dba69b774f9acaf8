//! What each comparison says at a tick: the live JSON shows it.

use serde::{Deserialize, Serialize};

use super::memory::Memory;
use super::observe::{Seen, seen_at};
use super::reading::{Reading, Unknown};
use super::rung::fires;
use crate::policy::{Direction, LevelNumber, Policy};
use crate::time::{Span, Time};

/// One comparison at the last tick. Lengths of time are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonView {
    /// The level whose rung it belongs to.
    pub level: LevelNumber,
    /// Its signal's name.
    pub signal: String,
    /// The side on which it is breached.
    pub direction: Direction,
    /// Breached when strictly past this, as written.
    pub threshold: String,
    /// Clear when at or back past this.
    pub clear: f64,
    /// The reading, where it is a number.
    pub value: Option<f64>,
    /// Why it is none, where it is none.
    pub unknown: Option<Unknown>,
    /// What the comparison makes of the reading.
    pub verdict: Verdict,
    /// Why a reading that is no number counts as clear, where it does.
    pub counted_as_clear: Option<CountedAsClear>,
    /// How long it has been breached.
    pub breached_for: Span,
    /// How long it has been clear.
    pub clear_for: Span,
    /// How long it must be breached to fire.
    #[serde(rename = "for")]
    pub hold: Span,
    /// Whether it fires.
    pub firing: bool,
    /// How long ago its last known reading was; `None` before the first one.
    pub last_known_ago: Option<Span>,
}

/// What a comparison makes of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Past the threshold.
    Breached,
    /// Neither breached nor clear.
    Between,
    /// At or back past `clear`, or counted as clear.
    Clear,
    /// The reading says nothing.
    Unknown,
}

/// Why a reading that is no number counts as clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CountedAsClear {
    /// The signal's feature is Disabled by our own doing.
    EmptyRoom,
    /// Too little traffic is no overload.
    LowTraffic,
}

/// Every comparison in written order, at the tick that `memory` has just counted.
///
/// `now` may be later than that tick; only [`ComparisonView::last_known_ago`] depends on it.
pub fn compare_views(
    policy: &Policy,
    readings: &[Reading],
    memory: &Memory,
    now: Time,
) -> Vec<ComparisonView> {
    let rungs = policy.levels.iter().enumerate();
    let comparisons =
        rungs.flat_map(|(index, rung)| rung.when.comparisons.iter().map(move |c| (index + 1, c)));
    let view = |((level, comparison), of): ((LevelNumber, &crate::policy::Comparison), &_)| {
        let of: &super::memory::ComparisonMemory = of;
        let seen = seen_at(policy, readings, &memory.signals, comparison.signal);
        let reading = readings.get(comparison.signal).copied();
        ComparisonView {
            level,
            signal: policy.signals[comparison.signal].name.clone(),
            direction: comparison.direction,
            threshold: comparison.threshold_text.clone(),
            clear: comparison.clear,
            value: reading.and_then(Reading::value),
            unknown: reading.and_then(Reading::unknown),
            verdict: match seen {
                Seen::Unknown(_) => Verdict::Unknown,
                _ if of.breached_now() => Verdict::Breached,
                _ if of.clear_now() => Verdict::Clear,
                _ => Verdict::Between,
            },
            counted_as_clear: match seen {
                Seen::Clear(why) => Some(why),
                _ => None,
            },
            breached_for: of.breached_for,
            clear_for: of.clear_for,
            hold: comparison.hold,
            firing: fires(comparison, of),
            last_known_ago: of.last_known.map(|last| now - last.at),
        }
    };
    comparisons.zip(&memory.comparisons).map(view).collect()
}
