//! What Prometheus sees.
//!
//! Every series exists, at 0, before the first scrape: a counter that is born with its first error
//! hides that error from `rate`.

use std::time::Instant;

use brownout::policy::State;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

use crate::features::{Feature, Features, tier_name};
use crate::flags::{Source, SourceState};
use crate::pools::PerTier;

/// The content type of [`render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Up to well past the highest threshold anyone would set: a quantile cannot exceed the last one.
const BUCKETS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0,
];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Answered.
    Ok,
    /// Not answered in time, or nobody was there to hear it.
    Error,
    /// Refused at once, because the queue was full.
    Shed,
    /// Declined at once, because the feature is off.
    Off,
    /// Declined at once, because this person or place asks too often.
    Limited,
    /// Declined, because this person may not.
    Denied,
    /// Declined at once, because a moderator has stopped the bot.
    Stopped,
    /// Declined, because the message is empty, more than the bot reads, or none that the model's API answers.
    Refused,
    /// Not answered, as it asked.
    Ignored,
}

impl Outcome {
    pub(crate) const ALL: [Self; 9] = [
        Self::Ok,
        Self::Error,
        Self::Shed,
        Self::Off,
        Self::Limited,
        Self::Denied,
        Self::Stopped,
        Self::Refused,
        Self::Ignored,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Shed => "shed",
            Self::Off => "off",
            Self::Limited => "limited",
            Self::Denied => "denied",
            Self::Stopped => "stopped",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeatureLabels {
    feature: &'static str,
    tier: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    feature: &'static str,
    tier: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
    state: &'static str,
}

type Durations = Family<FeatureLabels, Histogram, fn() -> Histogram>;

/// The exposition text of everything that registered itself.
pub(crate) fn render(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}

/// What is counted about requests and flags; other parts register series of their own.
pub(crate) struct Metrics {
    arrivals: Family<FeatureLabels, Counter>,
    requests: Family<OutcomeLabels, Counter>,
    durations: Durations,
    queue_depth: Family<QueueLabels, Gauge>,
    level: Gauge,
    epoch: Gauge,
    features: Family<FeatureLabels, Gauge>,
    features_in_vain: Gauge,
    sources: Family<SourceLabels, Gauge>,
}

impl Metrics {
    /// With every series at 0; `sources` are those that flags may come from.
    pub(crate) fn new(registry: &mut Registry, sources: &[Source]) -> Self {
        let durations = Durations::new_with_constructor(|| Histogram::new(BUCKETS));
        let metrics = Self {
            arrivals: Family::default(),
            requests: Family::default(),
            durations,
            queue_depth: Family::default(),
            level: Gauge::default(),
            epoch: Gauge::default(),
            features: Family::default(),
            features_in_vain: Gauge::default(),
            sources: Family::default(),
        };
        metrics.register(registry);
        for feature in Feature::ALL {
            let _ = metrics.arrivals.get_or_create(&labels(feature));
            let _ = metrics.durations.get_or_create(&labels(feature));
            let _ = metrics.features.get_or_create(&labels(feature));
            for outcome in Outcome::ALL {
                let _ = metrics
                    .requests
                    .get_or_create(&outcome_labels(feature, outcome));
            }
        }
        for &source in sources {
            metrics.source(source, SourceState::None);
        }
        drop(metrics.queues());
        metrics
    }

    fn register(&self, r: &mut Registry) {
        r.register(
            "bot_arrivals",
            "Requests that came in, counted before anything else",
            self.arrivals.clone(),
        );
        r.register(
            "bot_requests",
            "Requests that ended, by outcome: ok, error (not in time), shed (queue full), off (feature disabled), limited (too often), denied (may not), stopped (by a moderator), refused (too long, or empty), ignored (as asked: under no feature)",
            self.requests.clone(),
        );
        r.register(
            "bot_request_duration_seconds",
            "Seconds from arrival to the end, the queue included, of requests that were worked on (ok, and error but for those that nobody could be asked about)",
            self.durations.clone(),
        );
        r.register(
            "bot_queue_depth",
            "Jobs that wait for a worker",
            self.queue_depth.clone(),
        );
        r.register(
            "bot_flags_level",
            "The degradation level that the bot obeys, 0 is Normal",
            self.level.clone(),
        );
        r.register(
            "bot_flags_epoch",
            "The epoch of the flags that the bot obeys, 0 before the first",
            self.epoch.clone(),
        );
        r.register(
            "bot_flags_feature_state",
            "What the bot obeys for each feature: 0 enabled, 1 reduced, 2 disabled",
            self.features.clone(),
        );
        r.register(
            "bot_flags_unknown_features",
            "Features that the flags in force name in vain: the bot does not have them, or they are critical and cannot be less than enabled",
            self.features_in_vain.clone(),
        );
        r.register(
            "bot_flags_source_state",
            "1 for the state that a source of flags is in: none, current, older, broken, missing",
            self.sources.clone(),
        );
    }

    /// Counts a request in; it is counted out by [`Arrival::end`].
    pub(crate) fn arrive(&self, feature: Feature) -> Arrival<'_> {
        self.arrivals.get_or_create(&labels(feature)).inc();
        Arrival {
            metrics: self,
            feature,
            at: Instant::now(),
            outcome: Outcome::Error,
            at_once: false,
        }
    }

    /// The gauges of the three queues.
    pub(crate) fn queues(&self) -> PerTier<Gauge> {
        let depth = |queue| self.queue_depth.get_or_create_owned(&QueueLabels { queue });
        PerTier {
            critical: depth("critical"),
            important: depth("important"),
            luxury: depth("luxury"),
        }
    }

    /// What is obeyed from now on.
    pub(crate) fn obey(&self, level: usize, epoch: i64, features: Features) {
        self.level.set(i64::try_from(level).unwrap_or(i64::MAX));
        self.epoch.set(epoch);
        for feature in Feature::ALL {
            let state = match features.state(feature) {
                State::Enabled => 0,
                State::Reduced => 1,
                State::Disabled => 2,
            };
            self.features.get_or_create(&labels(feature)).set(state);
        }
    }

    /// So many features are named in vain by what is obeyed.
    pub(crate) fn in_vain(&self, features: usize) {
        let features = i64::try_from(features).unwrap_or(i64::MAX);
        self.features_in_vain.set(features);
    }

    /// How a source of flags stands.
    pub(crate) fn source(&self, source: Source, state: SourceState) {
        for each in SourceState::ALL {
            let labels = SourceLabels {
                source: source.name(),
                state: each.name(),
            };
            self.sources
                .get_or_create(&labels)
                .set(i64::from(each == state));
        }
    }
}

/// A request under way. Dropped without an end (its asker hung up), it counts as an error, so that
/// what came in and what ended always add up.
pub(crate) struct Arrival<'a> {
    metrics: &'a Metrics,
    feature: Feature,
    at: Instant,
    outcome: Outcome,
    at_once: bool,
}

impl Arrival<'_> {
    pub(crate) fn end(mut self, outcome: Outcome) -> Outcome {
        self.outcome = outcome;
        outcome
    }

    /// The end of a request on which no work was begun: how long it took says nothing.
    pub(crate) fn end_at_once(mut self, outcome: Outcome) -> Outcome {
        self.at_once = true;
        self.end(outcome)
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let Self {
            metrics, feature, ..
        } = *self;
        if matches!(self.outcome, Outcome::Ok | Outcome::Error) && !self.at_once {
            let seconds = self.at.elapsed().as_secs_f64();
            metrics
                .durations
                .get_or_create(&labels(feature))
                .observe(seconds);
        }
        metrics
            .requests
            .get_or_create(&outcome_labels(feature, self.outcome))
            .inc();
    }
}

fn labels(feature: Feature) -> FeatureLabels {
    FeatureLabels {
        feature: feature.name(),
        tier: tier_name(feature.tier()),
    }
}

fn outcome_labels(feature: Feature, outcome: Outcome) -> OutcomeLabels {
    OutcomeLabels {
        feature: feature.name(),
        tier: tier_name(feature.tier()),
        outcome: outcome.name(),
    }
}
