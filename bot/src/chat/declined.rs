//! Why a message is not worked on: everything that is decided at the door, at once.

use std::time::Duration;

use super::reply::Reply;
use crate::features::Feature;
use crate::manners::{TooMuch, TooOften};
use crate::metrics::Outcome;

/// A message that was declined.
pub(super) struct Declined {
    pub(super) outcome: Outcome,
    /// In a word out of few.
    pub(super) cause: &'static str,
    /// What to say, where that is more than the outcome says.
    text: Option<String>,
    wait: Option<Duration>,
    /// Whether to say anything.
    say: bool,
}

impl Declined {
    pub(super) fn new(outcome: Outcome, cause: &'static str) -> Self {
        Self {
            outcome,
            cause,
            text: None,
            wait: None,
            say: true,
        }
    }

    pub(super) fn reply(self, feature: Feature) -> Option<Reply> {
        if !self.say {
            return None;
        }
        let mut reply = Reply::declined(self.outcome, feature);
        if let Some(text) = self.text {
            reply = reply.saying(&text);
        }
        // a second that has begun is a second to wait
        reply.retry_after = self.wait.map(|wait| wait.as_secs() + 1);
        Some(reply)
    }
}

impl From<TooMuch> for Declined {
    fn from(too_much: TooMuch) -> Self {
        Self {
            text: Some(too_much.to_string()),
            ..Self::new(Outcome::Refused, too_much.cause())
        }
    }
}

impl From<TooOften> for Declined {
    fn from(too_often: TooOften) -> Self {
        Self {
            wait: Some(too_often.wait),
            say: too_often.say,
            ..Self::new(Outcome::Limited, too_often.which.name())
        }
    }
}
