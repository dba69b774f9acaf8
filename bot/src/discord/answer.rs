//! From what was heard to the answer in its place.

use std::sync::{Arc, PoisonError};

use brownout::policy::State;
use twilight_model::application::interaction::{Interaction, InteractionData};
use twilight_model::channel::{ChannelType, Message as Said};

use super::Door;
use super::hear::{Ears, Heard, author, hear};
use super::metrics::{Kind as Event, Posted};
use super::places::Kind;
use super::slash::{self, Used};
use crate::chat::Reply;
use crate::features::Feature;
use crate::message::{Door as Doors, Message, Place};
use crate::metrics::Outcome;

/// A butler's nod.
const NOD: &str = "🎩";

impl Door {
    /// Whether this is heard for the first time; a gateway that resumes says again what it is not sure of.
    fn first_time(&self, id: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen.insert(id, ());
        if !first {
            self.metrics.event(Event::Repeated);
        }
        first
    }

    /// A message somewhere; it may be for the bot.
    pub(super) fn message(self: &Arc<Self>, said: &Said) {
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
                self.tasks
                    .spawn(async move { door.answer(message, channel).await });
            }
            Heard::Perhaps(message) => {
                self.tasks.spawn(async move {
                    if let Kind::Thread { mine: true, .. } = door.kind(channel).await {
                        door.answer(message, channel).await;
                    }
                });
            }
        }
    }

    async fn answer(&self, mut message: Message, channel: u64) {
        self.settle(&mut message).await;
        let (outcome, Some(reply)) = self.chat.answer(&message).await else {
            return;
        };
        tokio::join!(
            self.post(&message, &reply),
            self.nod(&message, channel, outcome)
        );
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

    /// A slash command.
    pub(super) fn interaction(self: &Arc<Self>, interaction: Interaction) {
        if !self.first_time(interaction.id.get()) {
            return;
        }
        let door = Arc::clone(self);
        self.tasks.spawn(async move {
            let Some(InteractionData::ApplicationCommand(data)) = &interaction.data else {
                return;
            };
            if let Some(used) = slash::used(data) {
                door.used(&interaction, used).await;
            } else {
                // registered by somebody else, or by a version of ours that is gone
                tracing::warn!("a slash command that is not ours");
            }
        });
    }

    async fn used(&self, interaction: &Interaction, used: Used) {
        let id = interaction.id.get();
        let token = &interaction.token;
        // within 3 s, so before anything else
        if let Err(error) = self.api.acknowledge(id, token, used.private).await {
            tracing::warn!(%error, "a slash command was not acknowledged, so it is dropped");
            self.metrics.post(Posted::Failed);
            return;
        }
        let reply = match asked(interaction, used.text, &self.config.moderator_roles) {
            Some(message) => match self.chat.answer(&message).await {
                (_, Some(reply)) => reply,
                // it was acknowledged, so something has to be said
                (outcome, None) => Reply::declined(outcome, Feature::Commands),
            },
            None => Reply::declined(Outcome::Error, Feature::Commands),
        };
        let application = interaction.application_id.get();
        self.fulfil(application, token, &reply).await;
    }
}

/// The message that a slash command amounts to; none if Discord does not say who used it.
fn asked(interaction: &Interaction, text: String, moderators: &[u64]) -> Option<Message> {
    let user = interaction.author()?;
    let member = interaction.member.as_ref();
    let roles = member.map_or(&[][..], |member| &member.roles);
    let nick = member.and_then(|member| member.nick.as_deref());
    Some(Message {
        id: interaction.id.to_string(),
        door: Doors::Discord,
        place: place(interaction),
        author: author(user, nick, roles, moderators),
        text,
    })
}

fn place(interaction: &Interaction) -> Place {
    let guild = interaction.guild_id.map(|id| id.to_string());
    let Some(channel) = &interaction.channel else {
        return Place {
            guild,
            ..Place::default()
        };
    };
    let thread = matches!(
        channel.kind,
        ChannelType::PublicThread | ChannelType::PrivateThread | ChannelType::AnnouncementThread
    );
    match channel.parent_id.filter(|_| thread) {
        Some(parent) => Place {
            guild,
            channel: parent.to_string(),
            thread: Some(channel.id.to_string()),
        },
        None => Place {
            guild,
            channel: channel.id.to_string(),
            thread: None,
        },
    }
}
