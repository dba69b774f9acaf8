//! The first half of a tick: readings into times. Nothing here changes a level.

use super::blindness::Blindness;
use super::memory::{ComparisonMemory, LastKnown, Memory, SignalMemory};
use super::reading::{Reading, Unknown};
use super::view::CountedAsClear;
use crate::policy::{Comparison, Direction, LevelNumber, LowTraffic, Policy, Signal, State};
use crate::time::{Span, Time};

/// What a reading says to a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen {
    /// A number to hold against the threshold.
    Value(f64),
    /// No number, and still known to be clear.
    Clear(CountedAsClear),
    /// Nothing.
    Unknown(Unknown),
}

/// Counts one tick's readings: the times of the comparisons, the runs of Unknown, the empty room
/// and the last blind tick. Makes no transition.
///
/// This is how a restart rebuilds its times: for each past tick, with `memory.applied` set to the
/// level that was applied at the tick before it.
///
/// # Assumptions
///
/// Those of [`decide`](super::decide).
pub fn observe(policy: &Policy, readings: &[Reading], memory: &mut Memory, now: Time) {
    count(policy, readings, memory, now);
}

/// What concluding a tick would otherwise have to look for again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// Whether any comparison is breached: where none is, no rung fires nor will.
    pub(super) breached: bool,
    pub(super) blind: Blindness,
}

/// [`observe`], with what it came across.
pub(super) fn count(
    policy: &Policy,
    readings: &[Reading],
    memory: &mut Memory,
    now: Time,
) -> Counted {
    debug_assert_eq!(readings.len(), policy.signals.len(), "one reading a signal");
    debug_assert_eq!(
        memory.signals.len(),
        policy.signals.len(),
        "this policy's memory"
    );
    debug_assert_eq!(
        memory.comparisons.len(),
        policy.comparisons().count(),
        "this policy's memory"
    );
    for (index, signal) in policy.signals.iter().enumerate() {
        if let (Some(&reading), Some(of_signal)) =
            (readings.get(index), memory.signals.get_mut(index))
            && count_signal(policy, signal, reading, of_signal, memory.applied, now)
        {
            forget(policy, index, &mut memory.comparisons);
        }
    }
    let patience = policy.interval.times(2);
    let mut breached = false;
    let mut of_comparisons = memory.comparisons.iter_mut();
    for rung in &policy.levels {
        for (comparison, of_comparison) in rung.when.comparisons.iter().zip(of_comparisons.by_ref())
        {
            let seen = seen_at(policy, readings, &memory.signals, comparison.signal);
            breached |= count_comparison(comparison, seen, of_comparison, now, patience);
        }
    }
    let blind = Blindness::of(policy, memory, now);
    if blind.signal.is_some() {
        memory.last_blind = Some(now);
    }
    Counted { breached, blind }
}

/// Counts a signal's reading; true where its feature has just ceased to be Disabled.
#[inline]
fn count_signal(
    policy: &Policy,
    signal: &Signal,
    reading: Reading,
    memory: &mut SignalMemory,
    applied: Option<LevelNumber>,
    now: Time,
) -> bool {
    let disabled = feature_disabled(policy, signal, applied);
    let left = memory.feature_disabled && !disabled;
    memory.feature_disabled = disabled;
    memory.unknown_since = match seen(signal, disabled, reading) {
        // too little traffic is an answer, even where it says nothing to a comparison
        Seen::Value(_) | Seen::Clear(_) | Seen::Unknown(Unknown::LowTraffic) => None,
        Seen::Unknown(_) => memory.unknown_since.or(Some(now)),
    };
    left
}

/// Whether the feature that a signal measures is off at the level applied.
pub(super) fn feature_disabled(
    policy: &Policy,
    signal: &Signal,
    applied: Option<LevelNumber>,
) -> bool {
    let (Some(feature), Some(level)) = (signal.feature, applied) else {
        return false;
    };
    let state = policy.states.get(level).and_then(|of| of.get(feature));
    state == Some(&State::Disabled)
}

fn forget(policy: &Policy, signal: usize, memory: &mut [ComparisonMemory]) {
    for (comparison, of_comparison) in policy.comparisons().zip(memory) {
        if comparison.signal == signal {
            *of_comparison = ComparisonMemory::default();
        }
    }
}

/// What a reading says to the comparisons of its signal, given whether its feature is off.
#[inline]
pub(super) fn seen(signal: &Signal, feature_disabled: bool, reading: Reading) -> Seen {
    let class = match reading {
        Reading::Value(value) => return Seen::Value(value),
        Reading::Unknown(class) => class,
    };
    match class {
        Unknown::Empty | Unknown::NaN | Unknown::LowTraffic if feature_disabled => {
            Seen::Clear(CountedAsClear::EmptyRoom)
        }
        Unknown::LowTraffic if signal.low_traffic == LowTraffic::Clear => {
            Seen::Clear(CountedAsClear::LowTraffic)
        }
        _ => Seen::Unknown(class),
    }
}

/// [`seen`] for a signal by its index, after its empty room has been counted.
#[inline]
pub(super) fn seen_at(
    policy: &Policy,
    readings: &[Reading],
    memory: &[SignalMemory],
    signal: usize,
) -> Seen {
    match readings.get(signal) {
        Some(&Reading::Value(value)) => Seen::Value(value),
        Some(&reading) => seen(
            &policy.signals[signal],
            memory[signal].feature_disabled,
            reading,
        ),
        None => Seen::Unknown(Unknown::Empty),
    }
}

/// Counts a comparison's reading; true where it is breached.
#[inline]
fn count_comparison(
    comparison: &Comparison,
    seen: Seen,
    memory: &mut ComparisonMemory,
    now: Time,
    patience: Span,
) -> bool {
    let (breached, clear) = match seen {
        Seen::Value(value) => verdict(comparison, value),
        Seen::Clear(_) => (false, true),
        Seen::Unknown(_) => {
            if let Some(last) = &mut memory.last_known {
                last.unknown_since = true;
            }
            return false;
        }
    };
    let (mut breached_for, mut clear_for) = (Span::ZERO, Span::ZERO);
    if let Some(last) = memory.last_known
        && now - last.at <= patience
    {
        let passed = now - last.at;
        if breached && last.breached {
            breached_for = memory.breached_for + passed;
        }
        if clear && last.clear {
            let counted = if last.unknown_since {
                Span::ZERO
            } else {
                passed
            };
            clear_for = memory.clear_for + counted;
        }
    }
    *memory = ComparisonMemory {
        breached_for,
        clear_for,
        last_known: Some(LastKnown {
            at: now,
            breached,
            clear,
            unknown_since: false,
        }),
    };
    breached
}

/// Whether a number breaches a comparison, and whether it is clear of it.
#[inline]
fn verdict(comparison: &Comparison, value: f64) -> (bool, bool) {
    match comparison.direction {
        Direction::Above => (value > comparison.threshold, value <= comparison.clear),
        Direction::Below => (value < comparison.threshold, value >= comparison.clear),
    }
}
