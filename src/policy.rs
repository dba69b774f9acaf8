//! A policy that has been understood: names resolved to indices, durations and thresholds parsed,
//! defaults filled in, the ladder folded. Everything behind the API works on this, never on the spec.

#[cfg(feature = "kubernetes")]
mod from_spec;
mod ladder;
mod scalars;
mod scale;

#[cfg(feature = "kubernetes")]
pub use from_spec::{Violation, from_spec, remains};
pub use ladder::fold_states;
pub use scalars::{parse_decimal, parse_duration};
pub use scale::{Replicas, ScaleTarget, Workload, WorkloadKind};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The rung that is no degradation at all.
pub const NORMAL: &str = "Normal";

/// A level of the ladder by number: 0 is [`NORMAL`], 1 to n are the rungs of `spec.levels` in order.
pub type LevelNumber = usize;

/// A `BotDegradationPolicy`, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// `metadata.namespace`; empty where the policy was read from a file that names none.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// What the operator may do with what it decides.
    pub mode: Mode,
    /// The distance between two ticks.
    pub interval: Span,
    /// The `MetricsSource` to ask.
    pub source: String,
    /// The highest level that may be applied.
    pub max_level: Option<LevelNumber>,
    /// In the order they are written.
    pub signals: Vec<Signal>,
    /// In the order they are written.
    pub features: Vec<Feature>,
    /// The rungs above Normal, mildest first: `levels[0]` is level 1.
    pub levels: Vec<Level>,
    /// When to go back down.
    pub recovery: Recovery,
    /// What to do when blind.
    pub missing: Missing,
    /// The name of the flags `ConfigMap`.
    pub config_map: String,
    /// `states[level][feature]`: what each feature is at each level, folded over the rungs below.
    pub states: Vec<Vec<State>>,
}

/// `spec.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Decide and apply.
    #[default]
    Enforce,
    /// Decide and report; write nothing but status, Events and the finalizer.
    DryRun,
    /// Keep the level and stop deciding.
    Paused,
}

/// One of `spec.signals`.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name, unique in the policy.
    pub name: String,
    /// The feature whose traffic it measures, as an index into [`Policy::features`].
    pub feature: Option<usize>,
    /// What too little traffic says of recovery.
    pub low_traffic: LowTraffic,
    /// How it is measured.
    pub measure: Measure,
}

/// What `LowTraffic` says of recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LowTraffic {
    /// Too little traffic is no overload: it counts as clear.
    #[default]
    Clear,
    /// Too little traffic says nothing: Unknown to comparisons, though still an answer.
    Hold,
}

/// How a signal is measured. Matchers are label matchers as users write them, the policy's default
/// ones first; they are parsed in `prometheus`.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// A quantile of a histogram, in the histogram's unit.
    Latency {
        /// Base name, without `_bucket`.
        histogram: String,
        /// Between 0 and 1, both excluded, as written.
        quantile: String,
        /// Label matchers.
        matchers: Vec<String>,
        /// Range of the rate.
        window: Span,
        /// Fewer requests than about this in the window are `LowTraffic`.
        min_requests: u32,
    },
    /// The share of errors among all, 0 to 1.
    ErrorRatio {
        /// Name of the counter of all requests.
        counter: String,
        /// Label matchers that select the errors; never empty.
        errors: String,
        /// Label matchers.
        matchers: Vec<String>,
        /// Range of the rate.
        window: Span,
        /// Fewer requests than about this in the window are `LowTraffic`.
        min_requests: u32,
    },
    /// A query of the user's own.
    Query {
        /// `PromQL`.
        query: String,
        /// Optional guard against too little traffic.
        min_samples: Option<MinSamples>,
    },
}

/// `minSamples` of a query signal.
#[derive(Clone, Debug, PartialEq)]
pub struct MinSamples {
    /// `PromQL` that counts the traffic.
    pub query: String,
    /// Below this the reading is `LowTraffic`.
    pub at_least: f64,
}

/// One of `spec.features`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name: a `ConfigMap` key without dots.
    pub name: String,
    /// How dear it is.
    pub tier: Tier,
    /// What the flags say for each state.
    pub values: Values,
}

/// How dear a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Always enabled.
    Critical,
    /// May be reduced or disabled.
    Important,
    /// First to go.
    Luxury,
}

/// What a feature is at a level. Ordered from least to most degraded.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum State {
    /// Whole.
    #[default]
    Enabled,
    /// A cheaper form of itself.
    Reduced,
    /// Off.
    Disabled,
}

/// What the flags say for each state of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// `true` and `false`; knows no Reduced.
    Boolean,
    /// Three integers.
    Integers {
        /// When enabled.
        enabled: i64,
        /// When reduced.
        reduced: i64,
        /// When disabled.
        disabled: i64,
    },
    /// Three strings.
    Strings {
        /// When enabled.
        enabled: String,
        /// When reduced.
        reduced: String,
        /// When disabled.
        disabled: String,
    },
}

/// One rung of the ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its name, unique in the ladder.
    pub name: String,
    /// What fires it.
    pub when: When,
    /// The replicas it asks for.
    pub scale: Vec<ScaleTarget>,
}

/// What fires a rung.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// Whether one comparison suffices or all are needed.
    pub quantifier: Quantifier,
    /// In the order they are written; never empty.
    pub comparisons: Vec<Comparison>,
}

/// Whether one comparison suffices or all are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// One suffices.
    Any,
    /// All are needed.
    All,
}

/// A signal held against a threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Index into [`Policy::signals`].
    pub signal: usize,
    /// The side on which it is breached.
    pub direction: Direction,
    /// Breached when strictly past this.
    pub threshold: f64,
    /// The threshold as the user wrote it, for reports.
    pub threshold_text: String,
    /// Clear when at or back past this.
    pub clear: f64,
    /// How long it must be breached to fire.
    pub hold: Span,
}

/// The side on which a comparison is breached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Breached when the reading is greater than the threshold.
    Above,
    /// Breached when the reading is less than the threshold.
    Below,
}

/// `spec.recovery`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// How long all must be clear before one rung is taken back.
    pub after: Span,
    /// The hysteresis as a fraction: 10% is 0.1.
    pub tolerance: f64,
}

/// `spec.missing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How long a signal must be Unknown before the policy is blind.
    pub after: Span,
    /// The level that being blind fires; `None` is Hold.
    pub then: Option<LevelNumber>,
}

impl Policy {
    /// The highest level of the ladder.
    pub fn top(&self) -> LevelNumber {
        self.levels.len()
    }

    /// The rung of a level; `None` for Normal.
    pub fn rung(&self, level: LevelNumber) -> Option<&Level> {
        level.checked_sub(1).and_then(|i| self.levels.get(i))
    }

    /// A level's name.
    pub fn level_name(&self, level: LevelNumber) -> &str {
        self.rung(level).map_or(NORMAL, |rung| &rung.name)
    }

    /// The level of that name, Normal included.
    pub fn level_named(&self, name: &str) -> Option<LevelNumber> {
        (0..=self.top()).find(|&level| self.level_name(level) == name)
    }

    /// Every comparison of every rung, in the order they are written.
    pub fn comparisons(&self) -> impl Iterator<Item = &Comparison> {
        self.levels.iter().flat_map(|rung| &rung.when.comparisons)
    }

    /// A comparison by its rung's level and its index in that rung's `when`.
    pub fn comparison(&self, level: LevelNumber, index: usize) -> Option<&Comparison> {
        self.rung(level)?.when.comparisons.get(index)
    }

    /// What a feature is at a level.
    pub fn state(&self, level: LevelNumber, feature: usize) -> State {
        self.states[level][feature]
    }

    /// The replicas asked of a workload at a level: those of the highest rung up to it that names it.
    pub fn replicas_at(&self, level: LevelNumber, workload: &Workload) -> Option<Replicas> {
        let rungs = &self.levels[..level.min(self.top())];
        let targets = rungs.iter().rev().flat_map(|rung| &rung.scale);
        targets
            .into_iter()
            .find(|t| t.workload == *workload)
            .map(|t| t.replicas)
    }

    /// Every workload that any rung names, each once, in the order they are written.
    pub fn workloads(&self) -> Vec<&Workload> {
        let mut all: Vec<&Workload> = Vec::new();
        for target in self.levels.iter().flat_map(|rung| &rung.scale) {
            if !all.contains(&&target.workload) {
                all.push(&target.workload);
            }
        }
        all
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "Enabled",
            Self::Reduced => "Reduced",
            Self::Disabled => "Disabled",
        })
    }
}
