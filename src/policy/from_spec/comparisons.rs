//! `when`: signals held against thresholds.

use super::findings::{Findings, quoted};
use crate::api::{ComparisonSpec, WhenSpec};
use crate::policy::{Comparison, Direction, Quantifier, Signal, When};

pub(super) fn when(
    at: &str,
    spec: &WhenSpec,
    signals: &[Signal],
    tolerance: f64,
    found: &mut Findings,
) -> When {
    found.require(
        spec.any.is_some() != spec.all.is_some(),
        at,
        "set exactly one of any, all",
    );
    let mut read = |name: &str, list: &Option<Vec<ComparisonSpec>>| {
        let list = list.as_ref()?;
        let at = format!("{at}.{name}");
        found.count(&at, list.len(), 1, 16);
        let comparisons = list.iter().enumerate();
        let read = comparisons
            .map(|(i, c)| comparison(&format!("{at}[{i}]"), c, signals, tolerance, found));
        Some(read.collect())
    };
    let (any, all) = (read("any", &spec.any), read("all", &spec.all));
    When {
        quantifier: if all.is_some() {
            Quantifier::All
        } else {
            Quantifier::Any
        },
        comparisons: any.or(all).unwrap_or_default(),
    }
}

fn comparison(
    at: &str,
    spec: &ComparisonSpec,
    signals: &[Signal],
    tolerance: f64,
    found: &mut Findings,
) -> Comparison {
    let signal = signals.iter().position(|s| s.name == spec.signal);
    // where no signal is defined at all, that is said once
    found.require(
        signal.is_some() || signals.is_empty(),
        &format!("{at}.signal"),
        format!(
            "{} is no signal; write the name of one of spec.signals",
            quoted(&spec.signal)
        ),
    );
    found.require(
        spec.above.is_some() != spec.below.is_some(),
        at,
        "set exactly one of above, below",
    );
    let above = spec
        .above
        .as_ref()
        .map(|t| found.decimal(&format!("{at}.above"), t));
    let below = spec
        .below
        .as_ref()
        .map(|t| found.decimal(&format!("{at}.below"), t));
    let direction = if above.is_some() {
        Direction::Above
    } else {
        Direction::Below
    };
    let threshold = above.or(below).unwrap_or_default();
    let text = spec.above.as_ref().or(spec.below.as_ref());
    Comparison {
        signal: signal.unwrap_or_default(),
        direction,
        threshold,
        threshold_text: text.cloned().unwrap_or_default(),
        clear: match &spec.clear {
            Some(clear) => own_clear(&format!("{at}.clear"), clear, (direction, threshold), found),
            None => default_clear(direction, threshold, tolerance),
        },
        hold: found.duration(&format!("{at}.for"), &spec.hold, ("0s", "1h")),
    }
}

fn own_clear(
    field: &str,
    text: &str,
    (direction, threshold): (Direction, f64),
    found: &mut Findings,
) -> f64 {
    let clear = found.decimal(field, text);
    match direction {
        Direction::Above => found.require(
            clear <= threshold,
            field,
            format!(
                "with above, clear must be at most the threshold: {clear} is more than {threshold}"
            ),
        ),
        Direction::Below => found.require(
            clear >= threshold,
            field,
            format!(
                "with below, clear must be at least the threshold: {clear} is less than {threshold}"
            ),
        ),
    }
    clear
}

/// The threshold, come back by the tolerance.
fn default_clear(direction: Direction, threshold: f64, tolerance: f64) -> f64 {
    let back = threshold.abs() * tolerance;
    match direction {
        Direction::Above => threshold - back,
        Direction::Below => threshold + back,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)] // the rule says which doubles
    fn tolerance_moves_towards_safety_whatever_the_sign() {
        for (direction, threshold, clear) in [
            (Direction::Above, 200.0, 180.0),
            (Direction::Above, -200.0, -220.0),
            (Direction::Below, 200.0, 220.0),
            (Direction::Below, -200.0, -180.0),
            (Direction::Above, 0.0, 0.0),
        ] {
            assert_eq!(
                default_clear(direction, threshold, 0.1),
                clear,
                "{direction:?} {threshold}"
            );
        }
    }
}
