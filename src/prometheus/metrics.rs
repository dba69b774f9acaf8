//! What the pollers count about themselves.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::decide::{Reading, Unknown};

/// Metrics of all pollers together; clones count into the same.
#[derive(Clone, Debug)]
pub struct PollerMetrics {
    pub(super) queries: Family<Outcomes, Counter>,
    pub(super) duration: Family<OfSource, Histogram>,
    pub(super) held_back: Family<OfSource, Counter>,
    pub(super) skipped_ticks: Family<OfSource, Counter>,
    pub(super) backing_off: Family<OfSource, Gauge>,
    pub(super) clock_skew: Family<OfSource, Gauge>,
    /// How many clients each source has.
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

/// A source is being asked: its series stay until the last of these is gone. What is under way while
/// its poller ends still counts, so the end of the poller would be too early.
#[derive(Debug)]
pub(super) struct Asked {
    source: String,
    metrics: PollerMetrics,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut asked = self.metrics.sources();
        let left = asked.get_mut(&self.source).map(|clients| {
            *clients -= 1;
            *clients
        });
        if left == Some(0) {
            asked.remove(&self.source);
            self.metrics.forget(&self.source);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfSource {
    pub(super) source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcomes {
    source: String,
    outcome: Outcome,
}

impl OfSource {
    pub(super) fn named(source: &str) -> Self {
        Self {
            source: source.to_owned(),
        }
    }
}

/// `Value`, or the class of what was Unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Outcome(Option<Unknown>);

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0.map_or("Value", Unknown::as_str))
    }
}

impl Default for PollerMetrics {
    fn default() -> Self {
        Self {
            queries: Family::default(),
            // 1 ms to 8 s
            duration: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 14))
            }),
            held_back: Family::default(),
            skipped_ticks: Family::default(),
            backing_off: Family::default(),
            clock_skew: Family::default(),
            asked: Arc::default(),
        }
    }
}

impl PollerMetrics {
    /// Makes the metrics visible.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "queries",
            "Queries sent, by source and by what the answer was: Value, or the class of an Unknown",
            self.queries.clone(),
        );
        registry.register_with_unit(
            "query_duration",
            "Time from sending a query to the end of its answer",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register(
            "queries_held_back",
            "Queries answered as Transport without asking, while the source is left alone",
            self.held_back.clone(),
        );
        registry.register(
            "ticks_skipped",
            "Ticks that were over before they could begin",
            self.skipped_ticks.clone(),
        );
        registry.register(
            "source_backing_off",
            "1 while the source is left alone because it cannot be reached",
            self.backing_off.clone(),
        );
        registry.register_with_unit(
            "source_clock_skew",
            "How far the source's clock is ahead of ours, in whole seconds",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
    }

    /// A source is asked from now on, for as long as this is kept.
    pub(super) fn begin(&self, source: &str) -> Asked {
        *self.sources().entry(source.to_owned()).or_default() += 1;
        let of = OfSource::named(source);
        for counter in [&self.held_back, &self.skipped_ticks] {
            drop(counter.get_or_create(&of)); // a rate sees no counter that is born with its first event
        }
        Asked {
            source: source.to_owned(),
            metrics: self.clone(),
        }
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a source that is gone.
    fn forget(&self, source: &str) {
        let of = OfSource::named(source);
        self.duration.remove(&of);
        self.held_back.remove(&of);
        self.skipped_ticks.remove(&of);
        self.backing_off.remove(&of);
        self.clock_skew.remove(&of);
        for class in Unknown::ALL.into_iter().map(Some).chain([None]) {
            self.queries.remove(&Outcomes {
                source: source.to_owned(),
                outcome: Outcome(class),
            });
        }
    }

    /// Makes a series of each metric.
    #[cfg(test)]
    pub(crate) fn touch(&self) {
        let of = OfSource::named("default");
        self.asked("default", Reading::Value(0.0), std::time::Duration::ZERO);
        self.held_back.get_or_create(&of).inc();
        self.skipped_ticks.get_or_create(&of).inc();
        self.backing_off.get_or_create(&of).set(0);
        self.clock_skew.get_or_create(&of).set(0);
    }

    pub(super) fn asked(&self, source: &str, reading: Reading, took: std::time::Duration) {
        let outcome = Outcome(match reading {
            Reading::Value(_) => None,
            Reading::Unknown(class) => Some(class),
        });
        let source = source.to_owned();
        let of = OfSource::named(&source);
        self.duration.get_or_create(&of).observe(took.as_secs_f64());
        self.queries
            .get_or_create(&Outcomes { source, outcome })
            .inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_has_these_names() {
        let metrics = PollerMetrics::default();
        let mut registry = Registry::with_prefix("brownout");
        metrics.register(&mut registry);
        let took = std::time::Duration::from_millis(3);
        metrics.asked("default", Reading::Value(1.0), took);
        metrics.asked("default", Reading::Unknown(Unknown::TooLarge), took);
        let of = OfSource::named("default");
        metrics.held_back.get_or_create(&of).inc();
        metrics.skipped_ticks.get_or_create(&of).inc();
        metrics.backing_off.get_or_create(&of).set(1);
        metrics.clock_skew.get_or_create(&of).set(-2);
        let shown = |registry: &Registry| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, registry)
                .expect("a string takes all");
            text
        };
        let text = shown(&registry);
        for line in [
            "brownout_queries_total{source=\"default\",outcome=\"Value\"} 1",
            "brownout_queries_total{source=\"default\",outcome=\"TooLarge\"} 1",
            "brownout_query_duration_seconds_count{source=\"default\"} 2",
            "brownout_queries_held_back_total{source=\"default\"} 1",
            "brownout_ticks_skipped_total{source=\"default\"} 1",
            "brownout_source_backing_off{source=\"default\"} 1",
            "brownout_source_clock_skew_seconds{source=\"default\"} -2",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        let (first, second) = (metrics.begin("default"), metrics.begin("default"));
        drop(first);
        assert!(shown(&registry).contains("default"));
        drop(second);
        assert!(!shown(&registry).contains("default"));
    }
}
