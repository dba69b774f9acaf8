//! From what was heard to the answer in its place.

use std::sync::{Arc, PoisonError};

use brownout::policy::State;
use twilight_model::channel::Message as Said;

use super::Door;
use super::hear::{Ears, Heard, hear};
use super::metrics::Kind as Event;
use super::once::Turn;
use super::places::Kind;
use super::progress::{Progress, Ticket};
use crate::ask::Ask;
use crate::chat::Reply;
use crate::features::Feature;
use crate::message::Message;
use crate::metrics::Outcome;

/// A butler's nod.
const NOD: &str = "🎩";

impl Door {
    /// Whether this is heard for the first time; a gateway that resumes says again what it is not sure of.
    pub(super) fn first_time(&self, id: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.insert(id, ());
        if !first {
            self.metrics.event(Event::Repeated);
        }
        first
    }

    /// A message somewhere; it may be for the bot.
    pub(super) fn message(self: &Arc<Self>, said: &Said, sequence: u64, progress: &Progress) {
        let Some(&me) = self.me.get() else { return };
        if !self.first_time(said.id.get()) {
            return;
        }
        let ears = Ears {
            me,
            content: self.config.message_content,
            moderators: &self.config.moderator_roles,
        };
        let door = Arc::clone(self);
        let channel = said.channel_id.get();
        match hear(said, &ears) {
            Heard::Nothing => {}
            Heard::Spoken(message) => {
                let ticket = progress.begin(sequence);
                self.tasks
                    .spawn(async move { door.answer(message, channel, ticket).await });
            }
            Heard::Perhaps(message) => {
                let ticket = progress.begin(sequence);
                self.tasks.spawn(async move {
                    if let Kind::Thread { mine: true, .. } = door.kind(channel).await {
                        door.answer(message, channel, ticket).await;
                    }
                });
            }
        }
    }

    async fn answer(&self, mut message: Message, channel: u64, ticket: Ticket) {
        let turn = self.once.turn(&message.id).await;
        match turn {
            Turn::First | Turn::Again { late: false } | Turn::Deadly => {}
            Turn::Again { late: true } => {
                self.metrics.repeated.inc();
            }
            Turn::Over => return self.metrics.event(Event::Repeated),
            Turn::Left => return ticket.leave(),
        }
        self.settle(&mut message).await;
        let (outcome, reply) = if turn == Turn::Deadly {
            tracing::error!(
                "a message is given up: each process that began to answer it has ended"
            );
            let feature = Ask::of(&message.text).feature();
            let reply = Reply::declined(Outcome::Error, feature);
            (Outcome::Error, Some(reply))
        } else {
            self.chat.answer(&message).await
        };
        if let Some(reply) = reply {
            tokio::join!(
                self.post(&message, &reply),
                self.nod(&message, channel, outcome)
            );
        }
        self.once.done(&message.id).await;
    }

    /// A reaction on what was answered: a luxury, so it goes without a word where there is no place for it.
    async fn nod(&self, message: &Message, channel: u64, outcome: Outcome) {
        let Ok(id) = message.id.parse::<u64>() else {
            return;
        };
        if !self.config.reactions || outcome != Outcome::Ok {
            return;
        }
        let nod = |state| async move {
            // the lower bits count what came within one millisecond, and are mostly 0
            let skipped = state == State::Reduced && !(id >> 22).is_multiple_of(4);
            if !skipped && let Err(error) = self.api.react(channel, id, NOD).await {
                tracing::debug!(%error, "no reaction");
                return Outcome::Error;
            }
            Outcome::Ok
        };
        self.chat.aside(message, Feature::Reactions, nod).await;
    }
}
