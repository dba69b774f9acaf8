//! Random policies and series, small enough to run into one another often.

use proptest::prelude::*;

use crate::decide::{Reading, Unknown};
use crate::policy::*;
use crate::time::{Span, Time};

/// A policy with 1 to 4 signals and 1 to 4 rungs whose thresholds lie among the values of
/// [`series`].
pub(super) fn policies() -> impl Strategy<Value = Policy> {
    let shape = (1_usize..=4, 1_usize..=3, 1_usize..=4);
    shape.prop_flat_map(|(signals, features, rungs)| {
        let signal = (prop::option::weighted(0.4, 0..features), prop::bool::ANY);
        let state = prop::option::of(prop::sample::select(vec![State::Reduced, State::Disabled]));
        let times = (10_i64..=40, 10_i64..=60, prop::option::of(1..=rungs));
        (
            prop::collection::vec(signal, signals),
            prop::collection::vec(features_of(), features),
            prop::collection::vec(when(signals), rungs),
            prop::collection::vec(prop::collection::vec(state, features), rungs),
            times,
            prop::bool::weighted(0.1),
            prop::option::weighted(0.2, 0..=rungs),
        )
            .prop_map(
                |(signals, features, whens, given, times, dry_run, max_level)| {
                    let (after, missing_after, then) = times;
                    Policy {
                        namespace: String::new(),
                        name: "random".into(),
                        mode: if dry_run { Mode::DryRun } else { Mode::Enforce },
                        interval: Span::from_secs(10),
                        source: "default".into(),
                        max_level,
                        signals: numbered(signals, signal_of),
                        levels: numbered(whens, |name, when| Level {
                            name,
                            when,
                            scale: Vec::new(),
                        }),
                        recovery: Recovery {
                            after: Span::from_secs(after),
                            tolerance: 0.2,
                        },
                        missing: Missing {
                            after: Span::from_secs(missing_after),
                            then,
                        },
                        config_map: "random-flags".into(),
                        states: fold_states(&given, &features),
                        features,
                    }
                },
            )
    })
}

fn numbered<T, U>(items: Vec<T>, make: impl Fn(String, T) -> U) -> Vec<U> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| make(format!("n{index}"), item))
        .collect()
}

fn signal_of(name: String, (feature, hold): (Option<usize>, bool)) -> Signal {
    Signal {
        name,
        feature,
        low_traffic: if hold {
            LowTraffic::Hold
        } else {
            LowTraffic::Clear
        },
        measure: Measure::Query {
            query: "up".into(),
            min_samples: None,
        },
    }
}

fn features_of() -> impl Strategy<Value = Feature> {
    let tiers = vec![Tier::Critical, Tier::Important, Tier::Luxury];
    let integers = Values::Integers {
        enabled: 2,
        reduced: 1,
        disabled: 0,
    };
    let values = vec![Values::Boolean, integers];
    (prop::sample::select(tiers), prop::sample::select(values)).prop_map(|(tier, values)| Feature {
        name: "f".into(),
        tier,
        values,
    })
}

fn when(signals: usize) -> impl Strategy<Value = When> {
    let comparison = (
        0..signals,
        prop::bool::weighted(0.8),
        1_i32..=3,
        0_i64..=8,
        0_i32..=1,
    )
        .prop_map(|(signal, above, threshold, hold, slack)| Comparison {
            signal,
            direction: if above {
                Direction::Above
            } else {
                Direction::Below
            },
            threshold: f64::from(threshold),
            threshold_text: threshold.to_string(),
            clear: f64::from(if above {
                threshold - slack
            } else {
                threshold + slack
            }),
            hold: Span::from_secs(hold * 5),
        });
    let quantifier = prop::sample::select(vec![Quantifier::Any, Quantifier::All]);
    (quantifier, prop::collection::vec(comparison, 1..=3)).prop_map(|(quantifier, comparisons)| {
        When {
            quantifier,
            comparisons,
        }
    })
}

/// A reading: healthy more often than not, so that ladders are climbed down, too.
pub(super) fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        8 => Just(Reading::Value(0.0)),
        6 => (1_i32..=4).prop_map(|value| Reading::Value(f64::from(value))),
        1 => prop::sample::select(vec![
            Unknown::Transport, Unknown::LowTraffic, Unknown::Empty, Unknown::NaN,
        ]).prop_map(Reading::Unknown),
    ]
}

/// Ticks for up to 4 signals: each stretch keeps its readings for some ticks, mostly 10 s apart.
pub(super) fn series() -> impl Strategy<Value = Vec<(Time, Vec<Reading>)>> {
    let step = prop_oneof![
        8 => Just(10_i64), 1 => 1_i64..10, 1 => prop::sample::select(vec![20, 21, 40])
    ];
    let stretch = (
        prop::collection::vec(reading(), 4),
        prop::collection::vec(step, 1..8),
    );
    prop::collection::vec(stretch, 1..30).prop_map(|stretches| {
        let mut now = Time::from_millis(1_700_000_000_000);
        let mut ticks = Vec::new();
        for (readings, steps) in stretches {
            for step in steps {
                ticks.push((now, readings.clone()));
                now = now + Span::from_secs(step);
            }
        }
        ticks
    })
}

/// A policy, and ticks with one reading for each of its signals.
pub(super) fn scenario() -> impl Strategy<Value = (Policy, Vec<(Time, Vec<Reading>)>)> {
    (policies(), series()).prop_map(|(policy, mut ticks)| {
        for (_, readings) in &mut ticks {
            readings.truncate(policy.signals.len());
        }
        (policy, ticks)
    })
}
