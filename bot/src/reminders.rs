//! Delivers reminders: claims what is due, says it, and tries again until it has arrived.
//!
//! # Guarantees
//!
//! - Of several replicas one delivers: a claim is the claimer's alone until it runs out.
//! - A crash after the claim delays a reminder until the claim has run out and never loses it.
//! - Each try has the same id, so a door delivers once what it was asked for twice.

pub(crate) mod when;

use std::sync::Arc;
use std::time::Duration;

use brownout::policy::State;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::deliver::{Deliver, DeliverError};
use crate::features::Feature;
use crate::flags::FlagStore;
use crate::message::Door;
use crate::store::{Due, Store, StoreError, millis, now_ms};

/// How often to look for what is due, and how often while reminders are Reduced.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_REDUCED: Duration = Duration::from_secs(10);
/// How many are claimed and delivered at once.
const BATCH: i64 = 16;
/// One delivery may take so long, and no more than a third of a claim.
const DELIVERY: Duration = Duration::from_secs(10);
/// The first retry, and the longest wait between two.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(10);
/// After so many tries it is given up: nearly two hours.
const MOST_TRIES: i64 = 18;
/// What has ended is remembered for a day, so that a message that comes again sets nothing anew.
const KEPT: i64 = 86_400_000;
/// Every so many looks, what has ended is forgotten.
const PRUNE_EVERY: u32 = 600;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    event: &'static str,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Delivered,
    Retried,
    GivenUp,
}

impl Event {
    const ALL: [Self; 3] = [Self::Delivered, Self::Retried, Self::GivenUp];

    fn name(self) -> &'static str {
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

    fn count(&self, event: Event) {
        self.events
            .get_or_create(&Labels {
                event: event.name(),
            })
            .inc();
    }
}

/// The loop that delivers.
pub(crate) struct Reminders {
    pub(crate) store: Store,
    /// A process claims for the doors that it has.
    pub(crate) doors: Vec<(Door, Arc<dyn Deliver>)>,
    pub(crate) metrics: ReminderMetrics,
    /// How long a claim is the claimer's.
    pub(crate) lease: Duration,
}

impl Reminders {
    /// Delivers until `stop`; what is under way then is finished. Flags do not stop it: what was
    /// promised is kept, if later than usual.
    pub(crate) async fn follow(self, flags: Arc<FlagStore>, stop: CancellationToken) {
        for round in 0_u32.. {
            let looked = self.deliver_due().await;
            if round.is_multiple_of(PRUNE_EVERY) {
                // an error is counted by the store, and what is left is forgotten next time
                let _ = self.store.prune_reminders(now_ms() - KEPT).await;
                let _ = self.store.prune_inbox(now_ms() - KEPT).await;
            }
            let pause = match (looked, flags.snapshot().features.state(Feature::Reminders)) {
                (Ok(full), _) if full => Duration::ZERO,
                (_, State::Enabled) => LOOK,
                (_, State::Reduced | State::Disabled) => LOOK_REDUCED,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look; says whether there may be more.
    async fn deliver_due(&self) -> Result<bool, StoreError> {
        if !self.store.is_up() {
            return Err(StoreError::Down);
        }
        let mut claimed = 0;
        for (door, deliver) in &self.doors {
            let now = now_ms();
            let until = now.saturating_add(millis(self.lease));
            let due = self.store.claim_reminders(*door, now, until, BATCH).await?;
            claimed = claimed.max(due.len());
            let mut under_way: FuturesUnordered<_> = FuturesUnordered::new();
            for due in &due {
                under_way.push(self.deliver(due, deliver.as_ref()));
            }
            while under_way.next().await.is_some() {}
        }
        let left = self.store.reminders_to_do().await?;
        self.metrics.to_do.set(left);
        Ok(i64::try_from(claimed).unwrap_or(BATCH) >= BATCH)
    }

    async fn deliver(&self, due: &Due, door: &dyn Deliver) {
        let late = |_elapsed| {
            Err(DeliverError::Later {
                reason: "it took too long".to_owned(),
                after: None,
            })
        };
        let delivered =
            tokio::time::timeout(DELIVERY.min(self.lease / 3), door.deliver(&due.delivery))
                .await
                .unwrap_or_else(late);
        let next = next(delivered, due.tries, fastrand::f64());
        let written = match &next {
            Next::Over(_) => self.store.end_reminder(&due.delivery.id, now_ms()).await,
            Next::Again(delay) => {
                let at = now_ms().saturating_add(millis(*delay));
                self.store.retry_reminder(due, at).await
            }
        };
        let event = match next {
            Next::Over(event) => event,
            Next::Again(_) => Event::Retried,
        };
        self.metrics.count(event);
        if let Err(error) = written {
            // the claim runs out, and whoever takes it then asks the door with the same id
            tracing::warn!(%error, event = event.name(), "what became of a reminder could not be written down");
        }
    }
}

/// What follows a try.
#[derive(Debug, PartialEq)]
enum Next {
    Over(Event),
    Again(Duration),
}

/// `jitter` is from 0 to 1.
fn next(delivered: Result<(), DeliverError>, tries: i64, jitter: f64) -> Next {
    match delivered {
        Ok(()) => Next::Over(Event::Delivered),
        Err(DeliverError::Never(reason)) => {
            tracing::info!(reason, "a reminder can never be delivered");
            Next::Over(Event::GivenUp)
        }
        Err(DeliverError::Later { reason, .. }) if tries >= MOST_TRIES => {
            tracing::warn!(reason, tries, "a reminder is given up");
            Next::Over(Event::GivenUp)
        }
        Err(DeliverError::Later { reason, after }) => {
            tracing::debug!(reason, tries, "a reminder is tried again");
            let doublings = u32::try_from(tries.clamp(1, 16) - 1).unwrap_or_default();
            let longest = FIRST.saturating_mul(1 << doublings).min(LONGEST);
            let wait = longest.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
            Next::Again(after.map_or(wait, |after| wait.max(after)))
        }
    }
}

#[cfg(test)]
mod tests;
