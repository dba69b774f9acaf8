//! What is logged of each request: one line, and nobody's words or id in it.
//!
//! People and channels are told apart by a keyed hash (HMAC-SHA256, its first 64 bits), so that whoever reads
//! the logs can follow one person's trouble without knowing who it is, and cannot find out by trying
//! all ids without the key. A name is never logged, the text only where the owner says so.

use std::time::Duration;

use ring::hmac;
use ring::rand::SystemRandom;
use secrecy::ExposeSecret;

use crate::config::LogsConfig;
use crate::features::{Feature, tier_name};
use crate::message::Message;
use crate::metrics::Outcome;

/// Bytes of the hash that are shown.
const SHOWN: usize = 8;

/// Writes the lines.
pub(crate) struct Logs {
    key: hmac::Key,
    text: bool,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    /// The system has no randomness to draw a key from.
    #[error("no key can be drawn for the logs; give one with --log-user-key")]
    Random,
    /// A key that can be guessed hides nobody.
    #[error("--log-user-key is too short: write at least 16 characters")]
    Short,
}

/// One request that has ended.
pub(crate) struct Entry<'a> {
    pub(crate) message: &'a Message,
    /// None where it was not even read.
    pub(crate) feature: Option<Feature>,
    pub(crate) outcome: Outcome,
    /// Why, in a word out of few.
    pub(crate) cause: &'static str,
    pub(crate) duration: Duration,
    /// How much of it was spent in the queue.
    pub(crate) queue: Duration,
}

impl Logs {
    pub(crate) fn new(config: &LogsConfig) -> Result<Self, LogsError> {
        let key = match &config.log_user_key {
            Some(key) if key.expose_secret().len() < 16 => return Err(LogsError::Short),
            Some(key) => hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes()),
            None => hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
                .map_err(|_| LogsError::Random)?,
        };
        Ok(Self {
            key,
            text: config.log_text,
        })
    }

    /// Writes the line of one request.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let message = entry.message;
        let door = message.door.name();
        tracing::info!(
            request = message.id,
            door,
            channel = self.hash(&[door, "channel", message.place.conversation()]),
            user = self.hash(&[door, "user", &message.author.id]),
            feature = entry.feature.map(Feature::name),
            tier = entry.feature.map(|feature| tier_name(feature.tier())),
            outcome = entry.outcome.name(),
            cause = entry.cause,
            duration_ms = milliseconds(entry.duration),
            queue_ms = milliseconds(entry.queue),
            text = self.text.then_some(message.text.as_str()),
            "request"
        );
    }

    /// Of the last part, unless there is none; the others say what it is.
    fn hash(&self, parts: &[&str]) -> Option<String> {
        if parts.last().is_none_or(|id| id.is_empty()) {
            return None;
        }
        let tag = hmac::sign(&self.key, parts.join("\0").as_bytes());
        let shown = tag.as_ref().first_chunk::<SHOWN>()?;
        Some(format!("{:016x}", u64::from_be_bytes(*shown)))
    }
}

/// With a fraction, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(key: Option<&str>) -> Result<Logs, LogsError> {
        Logs::new(&LogsConfig {
            log_user_key: key.map(Into::into),
            log_text: false,
        })
    }

    #[test]
    fn equal_keys_make_equal_hashes_and_others_do_not() {
        let hash = |key| {
            logs(key)
                .unwrap()
                .hash(&["discord", "user", "80351110224678912"])
        };
        let known = Some("0123456789abcdef");
        assert_eq!(hash(known), hash(known));
        assert_eq!(hash(known).unwrap().len(), 16);
        assert_ne!(hash(known), hash(Some("fedcba9876543210")));
        assert_ne!(hash(None), hash(None));
        let logs = logs(known).unwrap();
        let of = |door, kind| logs.hash(&[door, kind, "1"]);
        assert_ne!(of("page", "user"), of("discord", "user"));
        assert_ne!(of("page", "user"), of("page", "channel"));
        assert_eq!(logs.hash(&["page", "user", ""]), None);
    }

    #[test]
    fn a_key_that_can_be_guessed_is_refused_and_not_repeated() {
        let error = logs(Some("hunter2")).err().unwrap().to_string();
        assert!(error.contains("--log-user-key") && !error.contains("hunter2"));
    }
}
