//! The gateway's end of the queue: it hands jobs in and hears what became of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brownout::policy::Tier;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::metrics::{JobsMetrics, Published};
use super::queue::Queue;
use super::wire::{self, Job, Note, Verdict};
use crate::features::Feature;
use crate::message::Message;
use crate::metrics::Outcome;
use crate::store::{Store, millis, now_ms};

const AWAY: &str = "I cannot reach those who do the thinking. Please ask me again in a moment; commands such as !help still work.";
const AGAIN: Duration = Duration::from_millis(200);

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    Queued,
    Taken,
    Done(Verdict),
}

/// Has workers do what this process takes in.
pub(crate) struct Gateway {
    queue: Arc<Queue>,
    metrics: Arc<JobsMetrics>,
    store: Store,
    /// Where its workers reach it.
    subject: String,
    luxury_patience: Duration,
    /// Who waits for which job; who asks twice for the same one hears the same.
    waiting: Mutex<HashMap<String, watch::Sender<Progress>>>,
}

impl Gateway {
    pub(crate) fn new(
        queue: Arc<Queue>,
        metrics: Arc<JobsMetrics>,
        store: Store,
        id: &str,
        luxury_patience: Duration,
    ) -> Self {
        Self {
            queue,
            metrics,
            store,
            subject: format!("chatbotler.replies.{id}"),
            luxury_patience,
            waiting: Mutex::default(),
        }
    }

    /// Has a job done by a worker, unless it is called off before one has taken it. Whoever stops waiting is
    /// forgotten; the deadline is the caller's to keep.
    pub(crate) async fn perform(
        &self,
        message: &Message,
        feature: Feature,
        deadline: Instant,
        called_off: impl Future<Output = (Outcome, &'static str)>,
    ) -> Verdict {
        let job = self.job(message, feature, deadline);
        // before it is handed in: a worker may be quicker than the queue's receipt
        let mut seat = self.sit(job.id());
        let mut taken = seat.progress.clone();
        let declined = async {
            match self.queue.publish(&job).await {
                // declined, it might be done all the same, and again for who asks again
                Published::Ok | Published::Unknown => {}
                Published::Duplicate => return self.repeated(&job).await,
                Published::Full => return Verdict::plain(Outcome::Shed),
                Published::Down => return away(),
            }
            tokio::select! {
                biased;
                () = until_taken(&mut taken) => std::future::pending().await,
                (outcome, _cause) = called_off => Verdict::plain(outcome),
                () = self.out_of_patience(feature) => Verdict::plain(Outcome::Shed),
            }
        };
        tokio::select! {
            biased;
            verdict = seat.done() => verdict,
            verdict = declined => verdict,
        }
    }

    /// The same message has come before, maybe to another gateway, which then hears the answer: here it is
    /// read from the store. An animation is not kept there, and no answer waits long for it.
    async fn repeated(&self, job: &Job) -> Verdict {
        if job.feature == Feature::Animations {
            self.out_of_patience(job.feature).await;
            return Verdict::plain(Outcome::Shed);
        }
        loop {
            if let Ok(Some(reply)) = self.store.job_reply(&job.id()).await {
                return wire::read(&reply);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn job(&self, message: &Message, feature: Feature, deadline: Instant) -> Job {
        let at = now_ms();
        let left = millis(deadline.saturating_duration_since(Instant::now()));
        let patience = match feature.tier() {
            Tier::Luxury => left.min(millis(self.luxury_patience)),
            Tier::Critical | Tier::Important => left,
        };
        Job {
            message: message.clone(),
            feature,
            at,
            take_by: at.saturating_add(patience),
            deadline: at.saturating_add(left),
            reply_to: self.subject.clone(),
        }
    }

    /// Luxury that nobody takes is not worth waiting for; its workers may be switched off. It is handed in all
    /// the same, since how many of them there are may depend on what waits.
    async fn out_of_patience(&self, feature: Feature) {
        match feature.tier() {
            Tier::Luxury if self.queue.is_deserted(Tier::Luxury) => {}
            Tier::Luxury => tokio::time::sleep(self.luxury_patience).await,
            Tier::Critical | Tier::Important => std::future::pending().await,
        }
    }

    /// Hears what workers say, for ever.
    pub(crate) async fn listen(&self) {
        loop {
            if let Ok(mut notes) = self.queue.client.subscribe(self.subject.clone()).await {
                while let Some(note) = notes.next().await {
                    if let Some(receipt) = note.reply {
                        // lost, the worker says it again
                        let _ = self.queue.client.publish(receipt, "".into()).await;
                    }
                    match serde_json::from_slice(&note.payload) {
                        Ok(note) => self.hear(note),
                        Err(error) => tracing::warn!(%error, "a worker's word is not readable"),
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn hear(&self, note: Note) {
        let waiting = self.waiting();
        match note {
            Note::Taken { id } => {
                if let Some(progress) = waiting.get(&id) {
                    progress.send_if_modified(|progress| {
                        let news = *progress == Progress::Queued;
                        if news {
                            *progress = Progress::Taken;
                        }
                        news
                    });
                }
            }
            Note::Done { id, verdict } => match waiting.get(&id) {
                Some(progress) if !matches!(*progress.borrow(), Progress::Done(_)) => {
                    progress.send_replace(Progress::Done(verdict));
                }
                _ => self.metrics.late_reply(),
            },
        }
    }

    fn sit(&self, id: String) -> Seat<'_> {
        let mut waiting = self.waiting();
        let sender = waiting
            .entry(id.clone())
            .or_insert_with(|| watch::Sender::new(Progress::Queued));
        Seat {
            gateway: self,
            progress: sender.subscribe(),
            id,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Progress>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guard that the wait ends with must not be kept: it holds back whoever brings news.
async fn until_taken(progress: &mut watch::Receiver<Progress>) {
    let taken = |progress: &Progress| *progress != Progress::Queued;
    drop(progress.wait_for(taken).await);
}

fn away() -> Verdict {
    Verdict {
        text: Some(AWAY.to_owned()),
        ..Verdict::plain(Outcome::Shed)
    }
}

/// One who waits for a job.
struct Seat<'a> {
    gateway: &'a Gateway,
    id: String,
    progress: watch::Receiver<Progress>,
}

impl Seat<'_> {
    async fn done(&mut self) -> Verdict {
        let done = |progress: &Progress| matches!(progress, Progress::Done(_));
        let verdict = match self.progress.wait_for(done).await.as_deref() {
            Ok(Progress::Done(verdict)) => Some(verdict.clone()),
            _ => None,
        };
        match verdict {
            Some(verdict) => verdict,
            // the sender stays as long as somebody sits here
            None => std::future::pending().await,
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut waiting = self.gateway.waiting();
        // by now the receivers that are left belong to others who wait for the same job
        self.progress = watch::Sender::new(Progress::Queued).subscribe();
        if waiting
            .get(&self.id)
            .is_some_and(|progress| progress.receiver_count() == 0)
        {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests;
