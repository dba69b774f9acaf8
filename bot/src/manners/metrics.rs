//! What is counted at the doors, before anybody knows what a message is about.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::people::Which;
use crate::message::Door;
use crate::metrics::Outcome;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DoorLabels {
    door: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    door: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// Messages by door, and who was too quick.
#[derive(Default)]
pub(crate) struct MannersMetrics {
    messages: Family<DoorLabels, Counter>,
    ends: Family<EndLabels, Counter>,
    limited: Family<LimitLabels, Counter>,
    keys: Family<LimitLabels, Gauge>,
}

impl MannersMetrics {
    /// With every series at 0.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "bot_messages",
            "Messages that came in, counted before anything else, by door",
            metrics.messages.clone(),
        );
        registry.register(
            "bot_message_outcomes",
            "Messages that ended, by door and outcome; those that asked to be ignored too",
            metrics.ends.clone(),
        );
        registry.register(
            "bot_limited",
            "Requests that came too often, by the limit that they ran into: user, channel, address, session (new visitors of the page)",
            metrics.limited.clone(),
        );
        registry.register(
            "bot_limit_keys",
            "Those that each limit tells apart at the moment",
            metrics.keys.clone(),
        );
        for door in Door::ALL {
            let door = door.name();
            drop(metrics.messages.get_or_create(&DoorLabels { door }));
            for outcome in Outcome::ALL {
                let outcome = outcome.name();
                drop(metrics.ends.get_or_create(&EndLabels { door, outcome }));
            }
        }
        for which in Which::ALL {
            let limit = which.name();
            drop(metrics.limited.get_or_create(&LimitLabels { limit }));
            metrics.keys(which, 0);
        }
        metrics
    }

    pub(crate) fn arrived(&self, door: Door) {
        let door = door.name();
        self.messages.get_or_create(&DoorLabels { door }).inc();
    }

    pub(crate) fn ended(&self, door: Door, outcome: Outcome) {
        let (door, outcome) = (door.name(), outcome.name());
        self.ends.get_or_create(&EndLabels { door, outcome }).inc();
    }

    pub(super) fn limited(&self, which: Which) {
        let limit = which.name();
        self.limited.get_or_create(&LimitLabels { limit }).inc();
    }

    pub(super) fn keys(&self, which: Which, keys: usize) {
        let limit = which.name();
        let keys = i64::try_from(keys).unwrap_or(i64::MAX);
        self.keys.get_or_create(&LimitLabels { limit }).set(keys);
    }
}
