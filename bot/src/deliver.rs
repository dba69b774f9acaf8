//! What is said unasked, such as a reminder: which door it goes through, and whether it arrived.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::message::{Door, Place};

/// A message's own id is that of its reminder.
const ANSWER: &str = "answer/";

/// The id under which the answer to a message is delivered.
pub(crate) fn answer_id(message: &str) -> String {
    format!("{ANSWER}{message}")
}

/// The message that is answered, if it is an answer that is delivered.
pub(crate) fn answered(id: &str) -> Option<&str> {
    id.strip_prefix(ANSWER)
}

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
