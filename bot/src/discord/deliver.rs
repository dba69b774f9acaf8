//! What is said unasked, such as a reminder: where it was asked for, with the name of whom it is for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{Api, ApiError};
use super::insist::NONCE_WINDOW;
use super::metrics::{DiscordMetrics, Posted};
use super::recent::Recent;
use crate::deliver::{Deliver, DeliverError, Delivery};
use crate::hex::hex;
use crate::manners::answer::{MOST_UNITS, fit};
use crate::outbound::CallError;

const PATIENCE: Duration = Duration::from_secs(20);
/// Deliveries of which it is not known whether they arrived.
const REMEMBERED: usize = 1024;
/// Discord takes no longer ones.
const NONCE_CHARACTERS: usize = 24;

pub(super) struct Courier {
    api: Arc<Api>,
    metrics: DiscordMetrics,
    /// When each was tried first.
    tried: Mutex<Recent<String, Instant>>,
}

impl Courier {
    pub(super) fn new(api: Arc<Api>, metrics: DiscordMetrics) -> Self {
        Self {
            api,
            metrics,
            tried: Mutex::new(Recent::new(REMEMBERED)),
        }
    }

    async fn bring(&self, delivery: &Delivery) -> Result<(), DeliverError> {
        let channel = delivery.place.conversation().parse();
        let channel = channel.map_err(|_| DeliverError::Never("no such channel".to_owned()))?;
        if self.is_late(&delivery.id) {
            self.metrics.repeated.inc();
        }
        let deadline = Instant::now() + PATIENCE;
        let result = self.api.post(channel, &body(delivery), deadline).await;
        self.metrics.post(Posted::of(&result));
        result.map_err(|error| told(&error))
    }

    /// Whether an earlier try may have arrived that its nonce tells nobody about any more.
    fn is_late(&self, id: &str) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let first = tried.get(&id.to_owned()).copied();
        if first.is_none() {
            tried.insert(id.to_owned(), Instant::now());
        }
        first.is_some_and(|first| first.elapsed() > NONCE_WINDOW)
    }
}

impl Deliver for Courier {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>> {
        self.bring(delivery).boxed()
    }
}

/// The one person is called, and nobody else, whatever it says.
fn body(delivery: &Delivery) -> Value {
    let call = format!("<@{}> ", delivery.to);
    let text = fit(&delivery.text, MOST_UNITS.saturating_sub(call.len()));
    json!({
        "content": call + &text, "nonce": nonce(delivery), "enforce_nonce": true,
        "allowed_mentions": {"parse": [], "users": [delivery.to]},
    })
}

/// An answer that its own process could not give has the nonce that it would have had there, where it may have
/// been given after all.
fn nonce(delivery: &Delivery) -> String {
    if let Some(message) = delivery.answers()
        && message.len() <= NONCE_CHARACTERS
    {
        return message.to_owned();
    }
    let mut nonce = hex(digest(&SHA256, delivery.id.as_bytes()).as_ref());
    nonce.truncate(NONCE_CHARACTERS);
    nonce
}

/// For ever is only what Discord says of the place or the person, and then with a code of its own. That it
/// refuses the token, that something in between answers, that nobody can read the answer: that may pass.
fn told(error: &ApiError) -> DeliverError {
    let reason = error.to_string();
    match error {
        ApiError::Refused {
            status: 400 | 403 | 404,
            code: 1..,
        } => DeliverError::Never(reason),
        ApiError::Call(CallError::Open { retry_in } | CallError::Limited { retry_in }) => {
            DeliverError::Later {
                reason,
                after: Some(*retry_in),
            }
        }
        ApiError::Refused { .. } | ApiError::Shape(_) | ApiError::Call(_) => DeliverError::Later {
            reason,
            after: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Door, Place};

    fn delivery(id: &str, text: &str) -> Delivery {
        Delivery {
            id: id.to_owned(),
            door: Door::Discord,
            place: Place::default(),
            to: "40".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn only_the_one_person_is_called() {
        let text = format!("tea, @everyone at discord.gg/abc {}", "o".repeat(2000));
        let body = body(&delivery("17", &text));
        let content = body["content"].as_str().unwrap();
        let start = "<@40> tea, everyone at (no invitations) ooo";
        assert!(content.starts_with(start), "{content}");
        assert!(content.ends_with('…') && content.chars().count() == 2000);
        assert_eq!(
            body["allowed_mentions"],
            json!({"parse": [], "users": ["40"]})
        );
    }

    #[test]
    fn a_reminder_is_not_taken_for_the_answer_to_the_message_that_set_it() {
        let message = "1308000000000000000";
        let answer = nonce(&delivery(&Delivery::answer_to(message), "Gladly."));
        assert_eq!(answer, message, "as its own process would have sent it");
        let reminder = nonce(&delivery(message, "tea"));
        assert_eq!(reminder.len(), NONCE_CHARACTERS);
        let another = nonce(&delivery("1308000000000000001", "tea"));
        assert!(reminder != answer && reminder != another);
    }

    #[test]
    fn only_what_is_said_of_the_place_is_for_ever() {
        let refused = |status, code| told(&ApiError::Refused { status, code });
        for (status, code) in [(404, 10_003), (403, 50_001), (403, 50_013), (400, 50_035)] {
            let told = refused(status, code);
            assert!(matches!(told, DeliverError::Never(_)), "{told}");
        }
        for (status, code) in [
            (401, 0),
            (401, 40_001),
            (403, 0),
            (404, 0),
            (408, 0),
            (425, 0),
        ] {
            let told = refused(status, code);
            assert!(matches!(told, DeliverError::Later { .. }), "{told}");
        }
        let page = told(&ApiError::Shape("expected value".to_owned()));
        assert!(matches!(page, DeliverError::Later { .. }), "{page}");
    }
}
