//! Slash commands, from their use to the answer.
//!
//! Discord waits 3 s for an acknowledgement, so one that nobody has heard by then is lost. One that was acknowledged
//! by a process that is gone is answered by the next, as long as its token holds.

use std::sync::Arc;
use std::time::Duration;

use twilight_model::application::interaction::{Interaction, InteractionData};
use twilight_model::channel::ChannelType;

use super::Door;
use super::hear::author;
use super::metrics::{Kind, Posted};
use super::once::Turn;
use super::progress::{Progress, Ticket};
use super::slash::{self, Used};
use crate::chat::Reply;
use crate::features::Feature;
use crate::message::{Door as Doors, Message, Place};
use crate::metrics::Outcome;
use crate::store::{millis, now_ms};

/// The first second of 2015, in Unix milliseconds: ids count from there.
const DISCORD_EPOCH: i64 = 1_420_070_400_000;
/// A slash command that nobody has acknowledged by then is lost.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(3);
/// Discord takes the answer for 15 minutes; the model may need the last of them.
const TOKEN: Duration = Duration::from_mins(14);

impl Door {
    /// A slash command; `replayed` if it may be some time ago that somebody used it.
    pub(super) fn interaction(
        self: &Arc<Self>,
        interaction: Interaction,
        replayed: bool,
        sequence: u64,
        progress: &Progress,
    ) {
        if !self.first_time(interaction.id.get()) {
            return;
        }
        let door = Arc::clone(self);
        let ticket = progress.begin(sequence);
        self.tasks.spawn(async move {
            let Some(InteractionData::ApplicationCommand(data)) = &interaction.data else {
                return;
            };
            if let Some(used) = slash::used(data) {
                Box::pin(door.used(&interaction, used, replayed, ticket)).await;
            } else {
                // registered by somebody else, or by a version of ours that is gone
                tracing::warn!("a slash command that is not ours");
            }
        });
    }

    async fn used(&self, interaction: &Interaction, used: Used, replayed: bool, ticket: Ticket) {
        let id = interaction.id.get();
        let token = &interaction.token;
        let age = age(id, now_ms());
        let key = id.to_string();
        let turn = if replayed && age > millis(ACKNOWLEDGED_WITHIN) {
            let turn = self.once.turn(&key).await;
            // nobody has acknowledged it, or nobody waits any more
            if turn == Turn::First || age > millis(TOKEN) {
                self.metrics.event(Kind::Late);
                return self.once.done(&key).await;
            }
            turn
        } else {
            // within 3 s, so before anything else
            let acknowledged = self.api.acknowledge(id, token, used.private);
            let (acknowledged, turn) = tokio::join!(acknowledged, self.once.turn(&key));
            if let Err(error) = acknowledged {
                tracing::warn!(%error, "a slash command was not acknowledged, so it is dropped");
                self.metrics.post(Posted::Failed);
                return self.once.done(&key).await;
            }
            turn
        };
        match turn {
            Turn::First | Turn::Again { .. } | Turn::Deadly => {}
            Turn::Over => return self.metrics.event(Kind::Repeated),
            Turn::Left => return ticket.leave(),
        }
        let reply = match asked(interaction, used.text, &self.config.moderator_roles) {
            Some(message) if turn != Turn::Deadly => match self.chat.answer(&message).await {
                (_, Some(reply)) => reply,
                // it was acknowledged, so something has to be said
                (outcome, None) => Reply::declined(outcome, Feature::Commands),
            },
            _ => Reply::declined(Outcome::Error, Feature::Commands),
        };
        let application = interaction.application_id.get();
        self.fulfil(application, token, &reply).await;
        self.once.done(&key).await;
    }
}

/// How many milliseconds ago something with this id came to be.
fn age(id: u64, now: i64) -> i64 {
    let since = i64::try_from(id >> 22).unwrap_or(i64::MAX);
    now.saturating_sub(since.saturating_add(DISCORD_EPOCH))
}

/// The message that a slash command amounts to; none if Discord does not say who used it.
fn asked(interaction: &Interaction, text: String, moderators: &[u64]) -> Option<Message> {
    let user = interaction.author()?;
    let member = interaction.member.as_ref();
    let roles = member.map_or(&[][..], |member| &member.roles);
    let nick = member.and_then(|member| member.nick.as_deref());
    Some(Message {
        own_way: true,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_age() {
        let made = 1_795_253_400_000;
        let id = (u64::try_from(made - DISCORD_EPOCH).unwrap() << 22) + 77;
        assert_eq!(age(id, made), 0);
        assert_eq!(age(id, made + 3000), 3000);
        assert_eq!(age(id, made - 50), -50, "clocks differ");
    }
}
