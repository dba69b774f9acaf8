//! To say it once, in its place.
//!
//! A post whose outcome is unknown is sent again with the same nonce, by which Discord knows it for some
//! minutes. After that it may stand there twice, which is counted and still better than silence.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Door;
use super::api::ApiError;
use super::insist::{NONCE_WINDOW, insist};
use super::metrics::Posted;
use crate::chat::Reply;
use crate::manners::answer::{MOST_UNITS, fit};
use crate::message::Message;

/// What one message may hold.
const MOST_CHARACTERS: usize = 2000;
/// A longer answer ends with an ellipsis.
const MOST_PIECES: usize = 4;
/// One try, with what the dependency makes of it.
const TRY: Duration = Duration::from_secs(20);
/// So many answers may wait for another try; of more, each has the one.
const MOST_WAITING: usize = 512;

/// Where an answer has no words.
const NOTHING: &str = "I have nothing to say to that.";

/// Where a post goes, and what it answers there.
struct Target {
    channel: u64,
    reply_to: Option<u64>,
}

impl Door {
    /// Says the answer in the thread of the message, or as a reply to it.
    pub(super) async fn post(&self, message: &Message, reply: &Reply) {
        let result = self.try_post(message, reply).await;
        self.count(&result);
    }

    async fn try_post(&self, message: &Message, reply: &Reply) -> Result<(), ApiError> {
        let mut target = self.target(message).await?;
        for (n, piece) in pieces(&text(reply)).iter().enumerate() {
            let nonce = match n {
                0 => message.id.clone(),
                n => format!("{}-{n}", message.id),
            };
            let sent = self.say(&target, piece, &nonce).await;
            let known = self.places.thread(message);
            if known == Some(target.channel) && matches!(sent, Err(ApiError::Refused { .. })) {
                // somebody has deleted the thread
                self.places.gone(message).await;
                target = reply_in(&message.place.channel, &message.id)?;
                self.say(&target, piece, &nonce).await?;
            } else {
                sent?;
            }
            target.reply_to = None;
        }
        Ok(())
    }

    /// Opens the thread if there has to be one. Where the bot may not, it replies.
    async fn target(&self, message: &Message) -> Result<Target, ApiError> {
        let Some(thread) = &message.place.thread else {
            return reply_in(&message.place.channel, &message.id);
        };
        if *thread != message.id {
            return reply_in(thread, &message.id);
        }
        let (channel, id) = (number(&message.place.channel)?, number(&message.id)?);
        let title = title(message);
        let opened = self.insist(None, || self.api.open_thread(channel, id, &title));
        match opened.await {
            Ok(()) => {
                self.places.opened(message, id).await;
                Ok(Target {
                    channel: id,
                    reply_to: None,
                })
            }
            Err(ApiError::Refused { .. }) => reply_in(&message.place.channel, &message.id),
            Err(error) => Err(error),
        }
    }

    async fn say(&self, target: &Target, piece: &str, nonce: &str) -> Result<(), ApiError> {
        let mut body = json!({
            "content": piece, "nonce": nonce, "enforce_nonce": true, "allowed_mentions": silence(),
        });
        if let Some(id) = target.reply_to {
            // the message may be in another channel than its answer, or gone
            body["message_reference"] =
                json!({"message_id": id.to_string(), "fail_if_not_exists": false});
        }
        let tried = self.insist(Some(NONCE_WINDOW), || async {
            let deadline = Instant::now() + TRY;
            self.api.post(target.channel, &body, deadline).await
        });
        tried.await
    }

    /// Puts the answer in the place of the promise that an interaction was acknowledged with.
    pub(super) async fn fulfil(&self, application: u64, token: &str, reply: &Reply) {
        let pieces = pieces(&in_one(reply));
        let content = pieces.first().map_or("", String::as_str);
        let body = json!({"content": content, "allowed_mentions": silence()});
        // an edit may be repeated at will
        let fulfilled = self.insist(None, || async {
            let deadline = Instant::now() + TRY;
            self.api.fulfil(application, token, &body, deadline).await
        });
        self.count(&fulfilled.await);
    }

    async fn insist<F>(
        &self,
        window: Option<Duration>,
        attempt: impl FnMut() -> F,
    ) -> Result<(), ApiError>
    where
        F: Future<Output = Result<(), ApiError>>,
    {
        let worth = || self.tasks.len() < MOST_WAITING;
        insist(attempt, worth, window, &self.metrics.repeated).await
    }

    fn count(&self, result: &Result<(), ApiError>) {
        self.metrics.post(Posted::of(result));
        if let Err(error) = result {
            tracing::warn!(%error, "an answer was not posted");
        }
    }
}

/// Nobody is called by an answer, whatever it holds.
fn silence() -> Value {
    json!({"parse": [], "replied_user": false})
}

fn reply_in(channel: &str, message: &str) -> Result<Target, ApiError> {
    Ok(Target {
        channel: number(channel)?,
        reply_to: Some(number(message)?),
    })
}

fn number(id: &str) -> Result<u64, ApiError> {
    id.parse()
        .map_err(|_| ApiError::Shape("an id is no number".to_owned()))
}

/// The answer, and in small what is less than usual about it. Discord takes no message without a word.
fn text(reply: &Reply) -> String {
    match &reply.notice {
        None if reply.answer.trim().is_empty() => NOTHING.to_owned(),
        Some(notice) => format!("{}\n-# {notice}", reply.answer),
        None => reply.answer.clone(),
    }
}

/// As [`text`], in one message: the answer makes room for what is said about it.
fn in_one(reply: &Reply) -> String {
    let units = |text: &str| text.encode_utf16().count();
    let over = units(&text(reply)).saturating_sub(MOST_UNITS);
    let answer = fit(&reply.answer, units(&reply.answer).saturating_sub(over));
    text(&Reply {
        answer,
        ..reply.clone()
    })
}

/// What a thread is called: what it began with.
fn title(message: &Message) -> String {
    let first = message.text.lines().next().unwrap_or_default().trim();
    format!("{}: {first}", message.author.name)
}

/// In pieces that fit, broken between words where there are any.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some((most, _)) = rest.char_indices().nth(MOST_CHARACTERS) else {
            pieces.push(rest.to_owned());
            break;
        };
        if pieces.len() + 1 == MOST_PIECES {
            let fits: String = rest.chars().take(MOST_CHARACTERS - 1).collect();
            pieces.push(format!("{fits}…"));
            break;
        }
        let (head, _) = rest.split_at(most);
        let cut = head.rfind(char::is_whitespace).filter(|&at| at > 0);
        let (head, tail) = rest.split_at(cut.unwrap_or(most));
        pieces.push(head.trim_end().to_owned());
        rest = tail.trim_start();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Feature;
    use crate::metrics::Outcome;
    use proptest::prelude::*;

    #[test]
    fn a_short_answer_is_one_piece() {
        assert_eq!(pieces(" Pong. "), ["Pong."]);
        assert!(pieces("  ").is_empty());
    }

    #[test]
    fn no_answer_is_empty() {
        for (said, posted) in [("", NOTHING), (" \n", NOTHING), ("Pong.", "Pong.")] {
            let reply = Reply::ok(said, Feature::Commands, false, None);
            assert_eq!(pieces(&text(&reply)), [posted]);
        }
        let ignored = Reply::declined(Outcome::Ignored, Feature::AiChat);
        assert!(!ignored.answer.is_empty());
    }

    #[test]
    fn a_slash_command_hears_all_that_is_said_about_a_long_answer() {
        let answer = format!("```\n{}", "x".repeat(3000));
        let long = Reply::ok(&answer, Feature::DeepAnswers, true, None);
        let notice = long.notice.clone().unwrap();
        let said = in_one(&long);
        assert!(said.ends_with(&format!("…\n```\n-# {notice}")), "{said}");
        assert_eq!(said.chars().count(), 2000);
        let short = Reply::ok("Good evening.", Feature::AiChat, true, None);
        assert_eq!(in_one(&short), text(&short));
    }

    proptest! {
        #[test]
        fn every_piece_fits_and_no_word_is_lost(words in prop::collection::vec("[a-zé]{1,30}", 1..700)) {
            let text = words.join(" ");
            let pieces = pieces(&text);
            prop_assert!(pieces.len() <= MOST_PIECES);
            for piece in &pieces {
                prop_assert!(!piece.is_empty() && piece.chars().count() <= MOST_CHARACTERS);
            }
            if !pieces.last().unwrap().ends_with('…') {
                prop_assert_eq!(pieces.join(" "), text);
            }
        }

        #[test]
        fn text_without_a_space_is_cut(n in 1..9000_usize) {
            let pieces = pieces(&"ß".repeat(n));
            prop_assert!(pieces.iter().all(|piece| piece.chars().count() <= MOST_CHARACTERS));
        }
    }
}
