//! The example policy of the README, understood, and a day in its life: what the benchmark and the
//! test of allocations decide.

use brownout::decide::Reading;
use brownout::policy::{
    Comparison, Direction, Feature, Level, LowTraffic, Measure, Missing, Mode, Policy, Quantifier,
    Recovery, Signal, State, Tier, Values, When, fold_states, parse_decimal,
};
use brownout::time::Span;

/// Four signals, three rungs, seven comparisons.
pub(crate) fn example() -> Policy {
    let features = features();
    let disabled = Some(State::Disabled);
    let states = [
        vec![disabled, None, None],
        vec![None, disabled, None],
        vec![None, disabled, None],
    ];
    Policy {
        namespace: "bots".into(),
        name: "chatbotler".into(),
        mode: Mode::Enforce,
        interval: Span::from_secs(15),
        source: "default".into(),
        max_level: None,
        signals: signals(),
        levels: levels(),
        recovery: Recovery {
            after: Span::from_secs(300),
            tolerance: 0.1,
        },
        missing: Missing {
            after: Span::from_secs(180),
            then: None,
        },
        config_map: "chatbotler-flags".into(),
        states: fold_states(&states, &features),
        features,
    }
}

/// One reading per signal, in order.
pub(crate) fn readings(latency: f64, errors: f64, ai_errors: f64, backlog: f64) -> [Reading; 4] {
    [latency, errors, ai_errors, backlog].map(Reading::of)
}

/// The readings of ticks in turn: calm for the most part, with an incident now and then.
pub(crate) fn day() -> Vec<[Reading; 4]> {
    let calm = readings(0.2, 0.001, 0.02, 3.0);
    let high = readings(3.5, 0.04, 0.1, 250.0);
    let gap = [Reading::Unknown(brownout::decide::Unknown::Timeout); 4];
    let stretch = |readings, n| std::iter::repeat_n(readings, n);
    let incident = stretch(calm, 400)
        .chain(stretch(high, 8))
        .chain(stretch(gap, 2));
    incident.chain(stretch(calm, 70)).collect()
}

fn features() -> Vec<Feature> {
    vec![
        feature("animations", Tier::Luxury, Values::Boolean),
        feature(
            "ai-chat",
            Tier::Important,
            Values::Integers {
                enabled: 512,
                reduced: 96,
                disabled: 0,
            },
        ),
        feature("commands", Tier::Critical, Values::Boolean),
    ]
}

fn signals() -> Vec<Signal> {
    vec![
        signal("latency-p95", None, LowTraffic::Clear),
        signal("error-ratio", None, LowTraffic::Clear),
        signal("ai-errors", Some(1), LowTraffic::Clear),
        signal("backlog", None, LowTraffic::Hold),
    ]
}

fn levels() -> Vec<Level> {
    let (latency, errors, ai_errors, backlog) = (0, 1, 2, 3);
    vec![
        level(
            "shed-luxury",
            vec![
                above(latency, "1.5", 30, None),
                above(errors, "0.05", 30, Some(0.02)),
                above(backlog, "200", 15, None),
            ],
        ),
        level(
            "lighten",
            vec![
                above(latency, "3", 30, None),
                above(ai_errors, "0.3", 60, None),
            ],
        ),
        level(
            "critical-only",
            vec![
                above(latency, "8", 60, None),
                above(errors, "0.3", 30, None),
            ],
        ),
    ]
}

fn feature(name: &str, tier: Tier, values: Values) -> Feature {
    Feature {
        name: name.into(),
        tier,
        values,
    }
}

fn signal(name: &str, feature: Option<usize>, low_traffic: LowTraffic) -> Signal {
    let measure = Measure::Query {
        query: format!("max({name})"),
        min_samples: None,
    };
    Signal {
        name: name.into(),
        feature,
        low_traffic,
        measure,
    }
}

fn level(name: &str, comparisons: Vec<Comparison>) -> Level {
    let when = When {
        quantifier: Quantifier::Any,
        comparisons,
    };
    Level {
        name: name.into(),
        when,
        scale: Vec::new(),
    }
}

fn above(signal: usize, threshold_text: &str, hold: i64, clear: Option<f64>) -> Comparison {
    let threshold = parse_decimal(threshold_text).unwrap_or_default();
    Comparison {
        signal,
        direction: Direction::Above,
        threshold,
        threshold_text: threshold_text.into(),
        clear: clear.unwrap_or(threshold - threshold.abs() * 0.1),
        hold: Span::from_secs(hold),
    }
}
