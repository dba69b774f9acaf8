//! One message under way at the door: counted and logged when it ends, however it ends.

use std::time::Duration;

use tokio::time::Instant;

use crate::features::Feature;
use crate::logs::{Entry, Logs};
use crate::manners::Manners;
use crate::message::Message;
use crate::metrics::Outcome;

/// Dropped without an end (its asker hung up), it counts as an error.
pub(super) struct Visit<'a> {
    manners: &'a Manners,
    logs: &'a Logs,
    message: &'a Message,
    at: Instant,
    outcome: Outcome,
    cause: &'static str,
    /// Known once the message was read.
    pub(super) feature: Option<Feature>,
    pub(super) queue: Duration,
}

impl<'a> Visit<'a> {
    /// Counts it in, first of all.
    pub(super) fn begin(manners: &'a Manners, logs: &'a Logs, message: &'a Message) -> Self {
        manners.metrics.arrived(message.door);
        Self {
            manners,
            logs,
            message,
            at: Instant::now(),
            outcome: Outcome::Error,
            cause: "gone",
            feature: None,
            queue: Duration::ZERO,
        }
    }

    /// It ends so, and why, in a word out of few.
    pub(super) fn end(mut self, outcome: Outcome, cause: &'static str) -> Outcome {
        self.outcome = outcome;
        self.cause = cause;
        outcome
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.manners.metrics.ended(self.message.door, self.outcome);
        self.logs.write(&Entry {
            message: self.message,
            feature: self.feature,
            outcome: self.outcome,
            cause: self.cause,
            duration: self.at.elapsed(),
            queue: self.queue,
        });
    }
}
