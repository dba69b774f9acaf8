//! How the store is doing.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Up to the time limit of one operation.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What the store is asked for, by concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Ping,
    Settings,
    Stops,
    Reminders,
    Inbox,
    Activity,
    History,
    Usage,
    Answers,
    Jobs,
    Discord,
}

impl Operation {
    const ALL: [Self; 11] = [
        Self::Ping,
        Self::Settings,
        Self::Stops,
        Self::Reminders,
        Self::Inbox,
        Self::Activity,
        Self::History,
        Self::Usage,
        Self::Answers,
        Self::Jobs,
        Self::Discord,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Settings => "settings",
            Self::Stops => "stops",
            Self::Reminders => "reminders",
            Self::Inbox => "inbox",
            Self::Activity => "activity",
            Self::History => "history",
            Self::Usage => "usage",
            Self::Answers => "answers",
            Self::Jobs => "jobs",
            Self::Discord => "discord",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: &'static str,
}

type Durations = Family<Labels, Histogram, fn() -> Histogram>;

/// The series of the store.
#[derive(Clone, Debug)]
pub(crate) struct StoreMetrics {
    up: Gauge,
    durations: Durations,
    errors: Family<Labels, Counter>,
}

impl StoreMetrics {
    /// With every series at 0.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            up: Gauge::default(),
            durations: Durations::new_with_constructor(|| Histogram::new(BUCKETS)),
            errors: Family::default(),
        };
        registry.register(
            "bot_store_up",
            "Whether the database answers",
            metrics.up.clone(),
        );
        registry.register(
            "bot_store_duration_seconds",
            "Seconds that the database took, of what it was asked for",
            metrics.durations.clone(),
        );
        registry.register(
            "bot_store_errors",
            "What the database failed to do or, while it is down, was not asked for",
            metrics.errors.clone(),
        );
        for operation in Operation::ALL {
            let labels = labels(operation);
            let _ = metrics.durations.get_or_create(&labels);
            let _ = metrics.errors.get_or_create(&labels);
        }
        metrics
    }

    pub(super) fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    pub(super) fn took(&self, operation: Operation, time: Duration) {
        let durations = self.durations.get_or_create(&labels(operation));
        durations.observe(time.as_secs_f64());
    }

    pub(super) fn failed(&self, operation: Operation) {
        self.errors.get_or_create(&labels(operation)).inc();
    }
}

fn labels(operation: Operation) -> Labels {
    Labels {
        operation: operation.name(),
    }
}
