//! How many reminders there are, and what became of each try.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    event: &'static str,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Delivered,
    Retried,
    GivenUp,
}

impl Event {
    const ALL: [Self; 3] = [Self::Delivered, Self::Retried, Self::GivenUp];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::GivenUp => "given-up",
        }
    }
}

/// The series of reminders.
#[derive(Clone)]
pub(crate) struct ReminderMetrics {
    events: Family<Labels, Counter>,
    to_do: Gauge,
}

impl ReminderMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            events: Family::default(),
            to_do: Gauge::default(),
        };
        registry.register(
            "bot_reminder_deliveries",
            "Tries to deliver a reminder: delivered, retried (to be tried again), given-up",
            metrics.events.clone(),
        );
        registry.register(
            "bot_reminders_pending",
            "Reminders that are set and not delivered yet, of all replicas",
            metrics.to_do.clone(),
        );
        for event in Event::ALL {
            let _ = metrics.events.get_or_create(&Labels {
                event: event.name(),
            });
        }
        metrics
    }

    pub(super) fn count(&self, event: Event) {
        self.events
            .get_or_create(&Labels {
                event: event.name(),
            })
            .inc();
    }

    pub(super) fn pending(&self, all: i64) {
        self.to_do.set(all);
    }

    #[cfg(test)]
    pub(super) fn counted(&self, event: Event) -> u64 {
        let event = event.name();
        self.events.get_or_create(&Labels { event }).get()
    }
}
