//! One job, from its delivery to its acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::client::RequestErrorKind;
use async_nats::jetstream::{AckKind, Message};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::metrics::{Done, JobsMetrics};
use super::orphans::{self, ORPHANED};
use super::wire::{Adopted, Job, Note, Orphan, Verdict, read};
use crate::chat::Chat;
use crate::features::Feature;
use crate::metrics::Outcome;
use crate::store::jobs::Begun;
use crate::store::{Store, StoreError, now_ms};

/// A job that was begun so often and never ended is what ends the workers.
const ATTEMPTS: i64 = 3;
const AGAIN: Duration = Duration::from_millis(250);
/// Until the store may be back.
const BACK: Duration = Duration::from_secs(1);
/// How often the queue is told once more that a job is done.
const ACKS: usize = 3;

/// Does jobs.
pub(crate) struct Attendant {
    pub(crate) client: Client,
    pub(crate) chat: Arc<Chat>,
    pub(crate) store: Store,
    pub(crate) metrics: Arc<JobsMetrics>,
    pub(crate) ack_wait: Duration,
}

impl Attendant {
    /// Does a job unless it has been done, tells its gateway, and then the queue. The slot is free for the
    /// next job as soon as the work is done.
    pub(crate) async fn attend(
        &self,
        job: &Job,
        message: &Message,
        again: bool,
        slot: OwnedSemaphorePermit,
    ) -> Done {
        if job.is_late(now_ms(), !again) {
            acknowledge(message).await;
            return Done::Late;
        }
        self.say(job, &Note::Taken { id: job.id() }).await;
        let worked = tokio::select! {
            worked = self.work(job) => worked,
            () = self.keep(message) => return Done::Returned, // it does not end
        };
        drop(slot);
        let (verdict, done) = match worked {
            Ok(worked) => worked,
            Err(error) => {
                tracing::warn!(%error, "a job goes back to the queue");
                let _ = message.ack_with(AckKind::Nak(Some(BACK))).await;
                return Done::Returned;
            }
        };
        let told = tokio::select! {
            told = self.tell(job, &verdict) => told,
            () = self.keep(message) => false,
        };
        if !told {
            self.metrics.unheard(job.tier());
        }
        acknowledge(message).await;
        done
    }

    /// Hands a job back unfinished, for another worker to take at once.
    pub(crate) async fn give_back(&self, job: &Job, message: &Message) -> Done {
        if let Err(error) = self.store.return_job(&job.id()).await {
            tracing::debug!(%error, "a job that goes back counts as an attempt");
        }
        // lost, it goes to another when this worker has been silent for long enough
        let _ = message.ack_with(AckKind::Nak(None)).await;
        Done::Returned
    }

    async fn work(&self, job: &Job) -> Result<(Verdict, Done), StoreError> {
        let deadline = Instant::now() + job.left(now_ms());
        let perform = self.chat.perform(&job.message, job.feature, deadline);
        if job.feature == Feature::Animations {
            // it leaves nothing behind, so it may be done twice
            return Ok(rated(perform.await));
        }
        let id = job.id();
        let verdict = match self.store.begin_job(&id, now_ms()).await? {
            Begun::Done(reply) => return Ok((read(&reply), Done::Repeated)),
            Begun::Attempt(attempt) if attempt > ATTEMPTS => {
                tracing::error!(
                    feature = job.feature.name(),
                    attempt,
                    "a job is given up: each worker that began it has ended"
                );
                let verdict = Verdict::plain(Outcome::Error);
                self.finish(job, &verdict).await?;
                return Ok((verdict, Done::Dead));
            }
            Begun::Attempt(attempt) => {
                tracing::debug!(feature = job.feature.name(), attempt, "a job is begun");
                perform.await
            }
        };
        let kept = self.finish(job, &verdict).await?;
        if kept != verdict {
            return Ok((kept, Done::Repeated));
        }
        Ok(rated(kept))
    }

    /// Records the answer. The work is done, so a store that is away for a moment is asked again.
    async fn finish(&self, job: &Job, verdict: &Verdict) -> Result<Verdict, StoreError> {
        let reply = serde_json::to_string(verdict).unwrap_or_default();
        loop {
            match self.store.finish_job(&job.id(), &reply).await {
                Ok(kept) => return Ok(read(&kept)),
                Err(error) if job.left(now_ms()).is_zero() => return Err(error),
                Err(_away) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Tells the gateway until it confirms, or nobody waits any more. Where it is gone, another may know a
    /// way to whoever asked.
    async fn tell(&self, job: &Job, verdict: &Verdict) -> bool {
        let note = Note::Done {
            id: job.id(),
            verdict: verdict.clone(),
        };
        let Ok(note) = serde_json::to_vec(&note) else {
            return false;
        };
        let begin = Instant::now();
        loop {
            let heard = self
                .client
                .request(job.reply_to.clone(), note.clone().into());
            let gone = match heard.await {
                Ok(_receipt) => return true,
                Err(error) => error.kind() == RequestErrorKind::NoResponders,
            };
            if gone && begin.elapsed() >= ORPHANED {
                match self.offer(job, verdict).await {
                    Some(Adopted::Delivered) => return true,
                    Some(Adopted::Nobody) => return false,
                    None => {}
                }
            }
            if job.left(now_ms()).is_zero() {
                return false;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Offers an answer to the gateways that are left.
    async fn offer(&self, job: &Job, verdict: &Verdict) -> Option<Adopted> {
        let (Some(text), true) = (&verdict.text, job.feature != Feature::Animations) else {
            return Some(Adopted::Nobody);
        };
        let orphan = Orphan {
            message: job.message.clone(),
            text: text.clone(),
        };
        let offered = serde_json::to_vec(&orphan).ok()?;
        let answer = self.client.request(orphans::SUBJECT, offered.into()).await;
        serde_json::from_slice(&answer.ok()?.payload).ok()
    }

    async fn say(&self, job: &Job, note: &Note) {
        if let Ok(note) = serde_json::to_vec(note) {
            // lost, the job is done all the same
            let _ = self.client.publish(job.reply_to.clone(), note.into()).await;
        }
    }

    /// Keeps the queue from giving the job to another, for as long as it is polled.
    async fn keep(&self, message: &Message) {
        loop {
            tokio::time::sleep(self.ack_wait / 3).await;
            let _ = message.ack_with(AckKind::Progress).await; // lost, the next one may do
        }
    }
}

fn rated(verdict: Verdict) -> (Verdict, Done) {
    let done = match verdict.outcome {
        Outcome::Off => Done::Off,
        _ => Done::Ok,
    };
    (verdict, done)
}

/// Where the queue does not confirm, it delivers the job again, and the store knows that it is done.
async fn acknowledge(message: &Message) {
    for _ in 0..ACKS {
        if message.double_ack().await.is_ok() {
            return;
        }
    }
}
