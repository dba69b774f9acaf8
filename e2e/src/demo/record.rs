//! Everything that was seen, with its time since the story's begin.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::story::Kind;
use super::watch::{Live, Replicas};
use crate::bot::Status;

/// How a message ended, for whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// The bot said kindly that this is off for now.
    Declined,
    Failed,
}

/// A message that has come to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// When it was to be sent.
    pub(super) at: Duration,
    pub(super) kind: Kind,
    /// Counted from that time on.
    pub(super) latency: Duration,
    pub(super) outcome: Outcome,
}

/// What the bot obeyed from some time on.
#[derive(Debug, Clone)]
pub(super) struct Obeyed {
    pub(super) at: Duration,
    pub(super) status: Status,
}

/// The latest of what moves without being worth a record.
#[derive(Debug, Clone, Default)]
pub(super) struct Latest {
    pub(super) live: Option<Live>,
    pub(super) replicas: Replicas,
}

/// The record of one story. Its clock starts when it is made.
pub(super) struct Record {
    start: Instant,
    wall: Timestamp,
    answers: Mutex<Vec<Answer>>,
    obeyed: Mutex<Vec<Obeyed>>,
    latest: watch::Sender<Latest>,
    baseline: Replicas,
}

impl Record {
    /// `baseline`: the workers when all is well.
    pub(super) fn begin(baseline: Replicas) -> Self {
        Self {
            start: Instant::now(),
            wall: Timestamp::now(),
            answers: Mutex::default(),
            obeyed: Mutex::default(),
            latest: watch::Sender::default(),
            baseline,
        }
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A time of the wall clock as time since the begin; what was before is the begin.
    pub(super) fn since_begin(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }

    pub(super) fn answered(&self, answer: Answer) {
        locked(&self.answers).push(answer);
    }

    pub(super) fn answers(&self) -> Vec<Answer> {
        locked(&self.answers).clone()
    }

    /// Notes what the bot obeys, if that is something else than before.
    pub(super) fn obeys(&self, status: Status) {
        let mut obeyed = locked(&self.obeyed);
        if obeyed.last().is_none_or(|last| last.status != status) {
            obeyed.push(Obeyed {
                at: self.elapsed(),
                status,
            });
        }
    }

    pub(super) fn obeyed(&self) -> Vec<Obeyed> {
        locked(&self.obeyed).clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Latest)) {
        self.latest.send_modify(change);
    }

    pub(super) fn baseline(&self) -> &Replicas {
        &self.baseline
    }

    pub(super) fn latest(&self) -> Latest {
        self.latest.borrow().clone()
    }

    /// Waits until the operator says Normal, and the bot has heard it.
    pub(super) async fn until_normal(&self) {
        let mut latest = self.latest.subscribe();
        let normal = |latest: &Latest| {
            let bot = locked(&self.obeyed);
            latest.live.as_ref().is_some_and(|live| live.level == 0)
                && bot.last().is_some_and(|last| last.status.level == 0)
        };
        // an error says that the sender is gone, and it is here
        let _ = latest.wait_for(normal).await;
    }
}

/// Lists that are only ever pushed to are never half changed.
fn locked<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
