//! The operator's own metrics, `OpenMetrics` text. Every name is documented in `docs/metrics.md`.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::controller::error::ApiError;

/// A policy, as a label. Series of a policy go when the policy goes.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PolicyLabels {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub policy: String,
}

/// A bounded word: the reason of a transition or of a failure.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabels {
    /// The word.
    pub reason: &'static str,
}

/// What is written to the API server.
const OBJECTS: [&str; 7] = [
    "status",
    "flags",
    "scale",
    "autoscaler",
    "scaledobject",
    "finalizer",
    "event",
];

/// A write to the API server.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct WriteLabels {
    /// What was written, one of [`OBJECTS`].
    pub object: &'static str,
    /// `ok` or `error`.
    pub outcome: &'static str,
}

/// Handles to every metric; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Policies that are being decided on, by namespace and name: the level applied.
    pub level: Family<PolicyLabels, Gauge>,
    /// The level decided on.
    pub desired_level: Family<PolicyLabels, Gauge>,
    /// 1 while a policy is blind.
    pub blind: Family<PolicyLabels, Gauge>,
    /// 1 while a policy is `Ready`.
    pub ready: Family<PolicyLabels, Gauge>,
    /// Calls of the decision core.
    pub evaluations: Counter,
    /// Changes of level.
    pub transitions: Family<ReasonLabels, Counter>,
    /// Reconciles that failed and are tried again.
    pub reconcile_errors: Family<ReasonLabels, Counter>,
    /// Seconds a reconcile took.
    pub reconcile_duration: Histogram,
    /// Writes to the API server.
    pub writes: Family<WriteLabels, Counter>,
}

impl Metrics {
    /// Makes the metrics and registers them under `brownout_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            level: Family::default(),
            desired_level: Family::default(),
            blind: Family::default(),
            ready: Family::default(),
            evaluations: Counter::default(),
            transitions: Family::default(),
            reconcile_errors: Family::default(),
            reconcile_duration: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            writes: Family::default(),
        };
        metrics.start_at_zero();
        let m = metrics.clone();
        registry.register("policy_level", "The level applied; 0 is Normal", m.level);
        registry.register(
            "policy_desired_level",
            "The level decided on, before maxLevel, pin and mode",
            m.desired_level,
        );
        registry.register("policy_blind", "1 while a policy is blind", m.blind);
        registry.register(
            "policy_ready",
            "1 while a policy is understood and carried out",
            m.ready,
        );
        registry.register(
            "evaluations",
            "Decisions made, one per policy and tick",
            m.evaluations,
        );
        registry.register("transitions", "Changes of level, by reason", m.transitions);
        registry.register(
            "reconcile_errors",
            "Reconciles that failed and are tried again, by reason",
            m.reconcile_errors,
        );
        let help = "How long a reconcile took";
        registry.register_with_unit(
            "reconcile_duration",
            help,
            Unit::Seconds,
            m.reconcile_duration,
        );
        registry.register(
            "api_writes",
            "Writes to the API server, by object and outcome",
            m.writes,
        );
        metrics
    }

    /// Counters exist before their first event, or a rate never sees it.
    fn start_at_zero(&self) {
        for reason in ["Escalated", "Blind", "Recovered"] {
            drop(self.transitions.get_or_create(&ReasonLabels { reason }));
        }
        for reason in ApiError::REASONS {
            drop(
                self.reconcile_errors
                    .get_or_create(&ReasonLabels { reason }),
            );
        }
        for object in OBJECTS {
            for outcome in ["ok", "error"] {
                drop(self.writes.get_or_create(&WriteLabels { object, outcome }));
            }
        }
    }

    /// Drops the series of a policy that is gone.
    pub fn forget(&self, labels: &PolicyLabels) {
        for family in [&self.level, &self.desired_level, &self.blind, &self.ready] {
            family.remove(labels);
        }
    }

    /// Counts a write.
    pub fn wrote(&self, object: &'static str, ok: bool) {
        let outcome = if ok { "ok" } else { "error" };
        self.writes
            .get_or_create(&WriteLabels { object, outcome })
            .inc();
    }
}

/// What there is to know of the election; cheap to clone. Without one there are no such series.
#[derive(Clone, Debug, Default)]
pub struct ElectionMetrics {
    /// 1 while this operator leads.
    pub leader: Gauge,
    /// How often the Lease has changed hands, as it says itself.
    pub transitions: Gauge,
    /// When this operator last wrote the Lease, in Unix seconds.
    pub last_renew: Gauge,
}

impl ElectionMetrics {
    /// Makes the metrics and registers them under `brownout_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = metrics.clone();
        registry.register("leader", "1 while this operator leads", m.leader);
        registry.register(
            "leader_transitions",
            "How often the Lease has changed hands",
            m.transitions,
        );
        registry.register(
            "leader_last_renew_timestamp_seconds",
            "When this operator last wrote the Lease, in Unix time; 0 is never",
            m.last_renew,
        );
        metrics
    }
}

/// The whole registry as `OpenMetrics` text.
pub fn encode(registry: &Registry) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = text::encode(&mut out, registry);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::prometheus::metrics::PollerMetrics;

    /// Every metric's name as it is scraped, from the registry that the operator serves.
    fn registered() -> BTreeSet<String> {
        let mut registry = Registry::with_prefix("brownout");
        let poller = PollerMetrics::default();
        poller.register(&mut registry);
        poller.touch();
        ElectionMetrics::register(&mut registry);
        let metrics = Metrics::register(&mut registry);
        let labels = PolicyLabels {
            namespace: "bots".into(),
            policy: "chatbotler".into(),
        };
        // a family without a series is not shown
        for family in [
            &metrics.level,
            &metrics.desired_level,
            &metrics.blind,
            &metrics.ready,
        ] {
            family.get_or_create(&labels).set(0);
        }
        let text = encode(&registry);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names = types.filter_map(|line| line.split_once(' '));
        names
            .map(|(name, kind)| match kind {
                "counter" => format!("{name}_total"),
                _ => name.to_owned(),
            })
            .collect()
    }

    /// Every name that a table of docs/metrics.md explains.
    fn documented() -> BTreeSet<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let text = std::fs::read_to_string(path).expect("docs/metrics.md");
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let names = rows.filter_map(|row| row.split_once('`'));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn every_metric_is_documented_and_nothing_else() {
        let registered = registered();
        assert!(registered.len() >= 14, "{registered:#?}");
        assert_eq!(registered, documented());
    }
}
