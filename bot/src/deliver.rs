//! What is said unasked, such as a reminder: which door it goes through, and whether it arrived.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::message::{Door, Place};

/// Something to say to one person, who did not ask for it just now.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The same at each try: a door that has delivered this id already does not deliver it again.
    pub(crate) id: String,
    pub(crate) door: Door,
    pub(crate) place: Place,
    /// The id of the person it is for.
    pub(crate) to: String,
    pub(crate) text: String,
}

/// What the ids of answers end with here.
const ANSWER: &str = "/answer";

impl Delivery {
    /// The id of a message's answer. A reminder has the id of the message that set it, and may come after the
    /// answer to that message.
    pub(crate) fn answer_to(message: &str) -> String {
        format!("{message}{ANSWER}")
    }

    /// The message that it answers; none for a reminder.
    pub(crate) fn answers(&self) -> Option<&str> {
        self.id.strip_suffix(ANSWER)
    }
}

/// Why it did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    /// Worth another try.
    #[error("not now: {reason}")]
    Later {
        reason: String,
        /// Not before that, where the other side said so.
        after: Option<Duration>,
    },
    /// It will never arrive: the channel is gone, or the bot may not speak there any more.
    #[error("never: {0}")]
    Never(String),
}

/// A door that can speak unasked. `Ok` means that it has arrived, and so that it is never tried again.
pub(crate) trait Deliver: Send + Sync {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>>;
}
