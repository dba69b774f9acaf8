//! The worker's end of the queue: it takes jobs of its tiers, as many as its pools have turns for.
//!
//! A job is acknowledged when its gateway has the answer, or when nobody waits for one. Whatever ends
//! the worker before that makes the queue deliver the job again, to this worker or another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use brownout::policy::Tier;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attend::Attendant;
use super::metrics::{Done, JobsMetrics};
use super::queue::Queue;
use super::wire::Job;
use crate::store::{millis, now_ms};

/// How long one question for jobs stays open: as long a drain may take to begin.
const OPEN: Duration = Duration::from_secs(1);
/// Jobs per question.
const MOST: usize = 32;
const AGAIN: Duration = Duration::from_millis(300);
/// Of the grace, to hand back what is not finished.
const RETURN: Duration = Duration::from_secs(2);
/// How often what is long done is forgotten, and what that is: the queue holds nothing so old.
const FORGET: Duration = Duration::from_mins(1);
const LONG_DONE: Duration = Duration::from_hours(1);

/// Takes jobs and has them done.
pub(crate) struct Worker {
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: Arc<JobsMetrics>,
    pub(crate) attendant: Attendant,
    /// The tiers, and how many jobs of each at once.
    pub(crate) tiers: Vec<(Tier, usize)>,
    /// What is being done: a job that is delivered again meanwhile is not begun twice here.
    pub(crate) in_hand: Mutex<HashSet<String>>,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the grace is nearly over.
    pub(crate) give_back: CancellationToken,
}

impl Worker {
    /// Works until `draining`, then finishes what it holds, and hands back what it cannot finish in time.
    pub(crate) async fn run(self: Arc<Self>, draining: CancellationToken, grace: Duration) {
        let mut pulls = JoinSet::new();
        for &(tier, slots) in &self.tiers {
            pulls.spawn(Arc::clone(&self).pull(tier, slots, draining.clone()));
        }
        let forgetting = tokio::spawn(Arc::clone(&self).forget());
        draining.cancelled().await;
        let finish = grace.saturating_sub(RETURN).max(grace / 2);
        let finished = async {
            while pulls.join_next().await.is_some() {}
            self.tracker.close();
            self.tracker.wait().await;
        };
        if tokio::time::timeout(finish, finished).await.is_err() {
            tracing::warn!("some jobs did not finish in time: they go back to the queue");
            self.give_back.cancel();
            self.tracker.close();
            let _ = tokio::time::timeout(RETURN / 2, self.tracker.wait()).await;
        }
        forgetting.abort();
        // what was said last must leave this process
        let _ = tokio::time::timeout(RETURN / 4, self.queue.client.flush()).await;
    }

    async fn pull(self: Arc<Self>, tier: Tier, slots: usize, draining: CancellationToken) {
        let slots = Arc::new(Semaphore::new(slots));
        let mut consumer = None;
        while !draining.is_cancelled() {
            if consumer.is_none() && self.queue.is_connected() {
                consumer = self.queue.consumer(tier).await.ok();
            }
            let taken = match &consumer {
                Some(consumer) => self.take(tier, consumer, &slots, &draining).await,
                None => Err("there is no consumer yet".into()),
            };
            if let Err(error) = taken {
                tracing::debug!(%error, "no jobs can be taken");
                consumer = None;
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = draining.cancelled() => {}
                }
            }
        }
    }

    /// Asks once for as many jobs as there are turns.
    async fn take(
        self: &Arc<Self>,
        tier: Tier,
        consumer: &PullConsumer,
        slots: &Arc<Semaphore>,
        draining: &CancellationToken,
    ) -> Result<(), async_nats::Error> {
        let first = tokio::select! {
            slot = Arc::clone(slots).acquire_owned() => slot?,
            () = draining.cancelled() => return Ok(()),
        };
        let mut free = vec![first];
        while free.len() < MOST
            && let Ok(slot) = Arc::clone(slots).try_acquire_owned()
        {
            free.push(slot);
        }
        let question = consumer.batch().max_messages(free.len()).expires(OPEN);
        let mut messages = question.messages().await?;
        while let Some(slot) = free.pop() {
            // a server that went away says nothing more
            let next = tokio::time::timeout(OPEN * 2, messages.next()).await?;
            let Some(message) = next else {
                return Ok(());
            };
            let message = message?;
            if draining.is_cancelled() {
                let _ = message.ack_with(AckKind::Nak(None)).await;
                continue;
            }
            let this = Arc::clone(self);
            self.tracker
                .spawn(async move { this.handle(tier, message, slot).await });
        }
        Ok(())
    }

    async fn handle(&self, tier: Tier, message: Message, slot: OwnedSemaphorePermit) {
        let again = message.info().is_ok_and(|info| info.delivered > 1);
        self.metrics.taken(tier, again);
        let done = match serde_json::from_slice::<Job>(&message.payload) {
            Ok(job) => {
                let Some(_held) = self.hold(job.id()) else {
                    // its first delivery is in hand here, and acknowledges it
                    return self.metrics.done(tier, Done::Returned);
                };
                tokio::select! {
                    done = self.attendant.attend(&job, &message, again, slot) => done,
                    () = self.give_back.cancelled() => self.attendant.give_back(&job, &message).await,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a job is not readable");
                let _ = message.ack_with(AckKind::Term).await;
                Done::Broken
            }
        };
        self.metrics.done(tier, done);
    }

    fn hold(&self, id: String) -> Option<Held<'_>> {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand
            .insert(id.clone())
            .then(|| Held { worker: self, id })
    }

    async fn forget(self: Arc<Self>) {
        loop {
            let before = now_ms().saturating_sub(millis(LONG_DONE));
            if let Err(error) = self.attendant.store.forget_jobs(before).await {
                tracing::warn!(%error, "old jobs cannot be forgotten yet");
            }
            tokio::time::sleep(FORGET).await;
        }
    }
}

/// A job in hand; dropped, it may be taken again.
struct Held<'a> {
    worker: &'a Worker,
    id: String,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let in_hand = &self.worker.in_hand;
        let mut in_hand = in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.remove(&self.id);
    }
}
