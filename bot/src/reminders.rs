//! Delivers reminders: claims what is due, says it, and tries again until it has arrived.
//!
//! # Guarantees
//!
//! - Of several replicas one delivers: a claim is the claimer's alone until it runs out.
//! - A crash after the claim delays a reminder until the claim has run out and never loses it.
//! - Each try has the same id, so a door delivers once what it was asked for twice.
//! - A door that hangs delays nobody at another door, and at its own only when all of its tries at once hang.

mod metrics;
pub(crate) mod when;

use std::sync::Arc;
use std::time::Duration;

use brownout::policy::State;
use futures::future::join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::deliver::{Deliver, DeliverError};
use crate::features::Feature;
use crate::flags::FlagStore;
use crate::message::Door;
use crate::store::{Due, Store, StoreError, millis, now_ms};
use metrics::Event;
pub(crate) use metrics::ReminderMetrics;

/// How often to look for what is due, and how often while reminders are Reduced.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_REDUCED: Duration = Duration::from_secs(10);
/// How many are under way at once, at each door.
const AT_ONCE: usize = 16;
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
        let this = Arc::new(self);
        let doors = this
            .doors
            .iter()
            .map(|(door, way)| this.serve(*door, way, &flags, &stop));
        tokio::join!(join_all(doors), this.keep_books(&stop));
    }

    /// How many there are, of all doors; and forgets what has ended.
    async fn keep_books(&self, stop: &CancellationToken) {
        for round in 0_u32.. {
            if self.store.is_up()
                && let Ok(left) = self.store.reminders_to_do().await
            {
                self.metrics.pending(left);
            }
            if round.is_multiple_of(PRUNE_EVERY) {
                // an error is counted by the store, and what is left is forgotten next time
                let _ = self.store.prune_reminders(now_ms() - KEPT).await;
                let _ = self.store.prune_inbox(now_ms() - KEPT).await;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// One door's: whatever hangs there, others go on.
    async fn serve(
        self: &Arc<Self>,
        door: Door,
        way: &Arc<dyn Deliver>,
        flags: &FlagStore,
        stop: &CancellationToken,
    ) {
        // as tasks: one that waits for the store must go on while the next ones are claimed
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            let free = AT_ONCE - under_way.len();
            let claimed = self.claim(door, free).await;
            // there may be more: not to wait for the next look
            let again = claimed.as_ref().is_ok_and(|due| due.len() == free);
            for due in claimed.into_iter().flatten() {
                let (this, way) = (Arc::clone(self), Arc::clone(way));
                under_way.spawn(async move { this.deliver(&due, way.as_ref()).await });
            }
            let pause =
                tokio::time::sleep(match flags.snapshot().features.state(Feature::Reminders) {
                    State::Enabled => LOOK,
                    State::Reduced | State::Disabled => LOOK_REDUCED,
                });
            tokio::pin!(pause);
            let mut looking = true;
            while looking {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => looking = false,
                    Some(_) = under_way.join_next() => {
                        looking = !(again && under_way.len() <= AT_ONCE / 2);
                    }
                    () = &mut pause, if under_way.len() < AT_ONCE => looking = false,
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn claim(&self, door: Door, most: usize) -> Result<Vec<Due>, StoreError> {
        if !self.store.is_up() {
            return Err(StoreError::Down);
        }
        let now = now_ms();
        let until = now.saturating_add(millis(self.lease));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.store.claim_reminders(door, now, until, most).await
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
