//! What is remembered of a conversation, and of searches. Where the store is away, the bot does without.

use super::{Context, Services};
use crate::ai::Turn;
use crate::config::AiConfig;
use crate::later;
use crate::message::Message;
use crate::store::{Kept, StoreError, millis, now_ms};

/// How much longer than it is good an answer is kept, for when there is no other.
const STALE: i64 = 24;

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    kept: Kept,
    pub(super) search_ttl_ms: i64,
}

impl Memory {
    pub(crate) fn new(config: &AiConfig) -> Self {
        Self {
            kept: Kept {
                messages: config.history_messages,
                age_ms: millis(config.history_age),
            },
            search_ttl_ms: millis(config.search_ttl),
        }
    }

    /// How long an answer may be kept at all.
    pub(super) fn search_kept_ms(self) -> i64 {
        self.search_ttl_ms.saturating_mul(STALE)
    }
}

/// The conversation that a message is part of; none where the door knows none, so that programs that do not
/// know of each other never read each other's words.
fn conversation(message: &Message) -> Option<String> {
    let place = message.place.conversation();
    (!place.is_empty()).then(|| format!("{}/{place}", message.door.name()))
}

/// What was said here before, the oldest first.
pub(super) async fn history(services: &Services, context: Context<'_>) -> Vec<Turn> {
    let Some(conversation) = conversation(context.message) else {
        return Vec::new();
    };
    let kept = services.memory.kept;
    let history = services.store.history(&conversation, kept, now_ms()).await;
    history.unwrap_or_else(|error| {
        forgot(&error);
        Vec::new()
    })
}

/// Keeps what was said and answered; the answer does not wait for long.
pub(super) async fn remember(services: &Services, context: Context<'_>, text: &str, answer: &str) {
    let message = context.message;
    let Some(conversation) = conversation(message) else {
        return;
    };
    let said = Turn {
        from: Some(message.author.name.clone()),
        text: text.to_owned(),
    };
    let answer = Turn {
        from: None,
        text: answer.to_owned(),
    };
    let (store, kept) = (services.store.clone(), services.memory.kept);
    let (id, turns) = (message.id.clone(), [said, answer]);
    let begun = tokio::spawn(async move {
        let turns = turns.each_ref();
        let kept = store.remember(&conversation, &id, turns, kept, now_ms());
        if let Err(error) = kept.await {
            forgot(&error);
        }
    });
    later::soon(begun, context.model_deadline()).await;
}

/// Keeps an answer for whoever asks the same; likewise.
pub(super) async fn keep(services: &Services, context: Context<'_>, question: &str, answer: &str) {
    let store = services.store.clone();
    let now = now_ms();
    let oldest = now.saturating_sub(services.memory.search_kept_ms());
    let (question, answer) = (question.to_owned(), answer.to_owned());
    let begun = tokio::spawn(async move {
        let kept = store.keep_answer(&question, &answer, now, oldest);
        if let Err(error) = kept.await {
            forgot(&error);
        }
    });
    later::soon(begun, context.model_deadline()).await;
}

pub(super) fn forgot(error: &StoreError) {
    tracing::warn!(%error, "the store is away: answered without memory");
}
