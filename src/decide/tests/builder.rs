//! Policies and series in a line each.
//!
//! A rung is `any a>10:20 b<3/5`: a quantifier, then comparisons of a one-letter signal, a side, a
//! threshold, and optionally `/clear` and `:for` in seconds. A series is one word per tick: the
//! readings of all signals in order, separated by commas, `*n` for n such ticks. A reading is a
//! number or the first letter of `Empty`, `NaN`, `LowTraffic`, `Transport`.

use crate::decide::{Decision, Memory, Reading, Unknown, decide};
use crate::policy::*;
use crate::time::{Span, Time};

pub(super) const INTERVAL: i64 = 10;

/// A policy with an interval of 10 s, recovery after 30 s at a tolerance of 20%, and missing after
/// 1000 s then Hold.
pub(crate) fn policy(rungs: &[&str]) -> Policy {
    let mut letters: Vec<char> = rungs
        .iter()
        .flat_map(|rung| rung.split(' ').skip(1).filter_map(|c| c.chars().next()))
        .collect();
    letters.sort_unstable();
    letters.dedup();
    let levels = rungs.iter().enumerate();
    Policy {
        namespace: "bots".into(),
        name: "test".into(),
        mode: Mode::Enforce,
        interval: Span::from_secs(INTERVAL),
        source: "default".into(),
        max_level: None,
        signals: letters.iter().map(|&letter| signal(letter)).collect(),
        features: Vec::new(),
        levels: levels
            .map(|(index, rung)| Level {
                name: format!("rung-{}", index + 1),
                when: when(rung, &letters),
                scale: Vec::new(),
            })
            .collect(),
        recovery: Recovery {
            after: Span::from_secs(30),
            tolerance: 0.2,
        },
        missing: Missing {
            after: Span::from_secs(1000),
            then: None,
        },
        config_map: "test-flags".into(),
        states: vec![Vec::new(); rungs.len() + 1],
    }
}

fn signal(letter: char) -> Signal {
    Signal {
        name: letter.to_string(),
        feature: None,
        low_traffic: LowTraffic::Clear,
        measure: Measure::Query {
            query: format!("max({letter})"),
            min_samples: None,
        },
    }
}

fn when(rung: &str, letters: &[char]) -> When {
    let (quantifier, comparisons) = rung.split_once(' ').unwrap();
    When {
        quantifier: match quantifier {
            "any" => Quantifier::Any,
            "all" => Quantifier::All,
            other => panic!("{other}"),
        },
        comparisons: comparisons
            .split(' ')
            .map(|c| comparison(c, letters))
            .collect(),
    }
}

fn comparison(text: &str, letters: &[char]) -> Comparison {
    let signal = letters.iter().position(|&l| text.starts_with(l)).unwrap();
    let direction = if &text[1..2] == ">" {
        Direction::Above
    } else {
        Direction::Below
    };
    let (numbers, hold) = text[2..].split_once(':').unwrap_or((&text[2..], "0"));
    let (threshold_text, clear) = numbers.split_once('/').unwrap_or((numbers, ""));
    let threshold: f64 = threshold_text.parse().unwrap();
    let slack = threshold.abs() * 0.2;
    let by_tolerance = match direction {
        Direction::Above => threshold - slack,
        Direction::Below => threshold + slack,
    };
    Comparison {
        signal,
        direction,
        threshold,
        threshold_text: threshold_text.into(),
        clear: clear.parse().unwrap_or(by_tolerance),
        hold: Span::from_secs(hold.parse().unwrap()),
    }
}

impl Policy {
    /// Blind after so many seconds, then that level.
    pub(crate) fn missing(mut self, after: i64, then: Option<LevelNumber>) -> Self {
        self.missing = Missing {
            after: Span::from_secs(after),
            then,
        };
        self
    }

    /// The signal measures a feature of its own, which is Disabled from that level on.
    pub(crate) fn measures_feature(mut self, signal: usize, disabled_from: LevelNumber) -> Self {
        self.signals[signal].feature = Some(self.features.len());
        self.features.push(Feature {
            name: format!("feature-{}", self.signals[signal].name),
            tier: Tier::Luxury,
            values: Values::Boolean,
        });
        for (level, states) in self.states.iter_mut().enumerate() {
            let disabled = level >= disabled_from;
            states.push(if disabled {
                State::Disabled
            } else {
                State::Enabled
            });
        }
        self
    }

    pub(super) fn holds_on_low_traffic(mut self, signal: usize) -> Self {
        self.signals[signal].low_traffic = LowTraffic::Hold;
        self
    }

    pub(super) fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

pub(super) fn at(seconds: i64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// The words of a series or of expected levels, with `*n` written out.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().flat_map(|word| {
        let (word, n) = word.split_once('*').unwrap_or((word, "1"));
        std::iter::repeat_n(word, n.parse().unwrap())
    })
}

pub(super) fn readings(tick: &str) -> Vec<Reading> {
    let reading = |word: &str| match word {
        "E" => Reading::Unknown(Unknown::Empty),
        "N" => Reading::Unknown(Unknown::NaN),
        "L" => Reading::Unknown(Unknown::LowTraffic),
        "T" => Reading::Unknown(Unknown::Transport),
        number => Reading::of(number.parse().unwrap()),
    };
    tick.split(',').map(reading).collect()
}

/// A run of one policy, tick after tick.
pub(super) struct Run {
    pub(super) policy: Policy,
    pub(super) memory: Memory,
    pub(super) readings: Vec<Reading>,
    pub(super) seconds: i64,
}

impl Run {
    pub(super) fn of(policy: Policy) -> Self {
        let memory = Memory::new(&policy);
        Self {
            policy,
            memory,
            readings: Vec::new(),
            seconds: 0,
        }
    }

    /// Decides the ticks of a series, the next one at `self.seconds`.
    pub(super) fn ticks(&mut self, series: &str) -> Vec<Decision> {
        let tick = |word| {
            self.readings = readings(word);
            let now = at(self.seconds);
            self.seconds += INTERVAL;
            decide(&self.policy, &self.readings, &mut self.memory, now)
        };
        words(series).map(tick).collect()
    }

    /// The last decision of a series.
    pub(super) fn last(&mut self, series: &str) -> Decision {
        self.ticks(series).pop().unwrap()
    }
}

/// One row: a policy decides these levels on that series.
pub(super) fn row(name: &str, policy: Policy, series: &str, levels: &str) {
    let decided: Vec<LevelNumber> = Run::of(policy)
        .ticks(series)
        .iter()
        .map(|d| d.level)
        .collect();
    let expected: Vec<LevelNumber> = words(levels).map(|level| level.parse().unwrap()).collect();
    assert_eq!(decided, expected, "{name}");
}
