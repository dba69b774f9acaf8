//! Where things are said: which channels are threads, and which thread belongs to whom.

use std::sync::{Mutex, PoisonError};

use twilight_model::channel::ChannelType;

use super::Door;
use super::recent::Recent;
use crate::ask::Ask;
use crate::message::Message;

/// Channels and threads that are remembered; of others Discord is asked again.
const REMEMBERED: usize = 4096;

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Channel,
    Thread {
        parent: Option<u64>,
        /// Opened by the bot.
        mine: bool,
    },
}

/// What is known of channels.
pub(super) struct Places {
    kinds: Mutex<Recent<u64, Kind>>,
    /// The thread of a person in a channel.
    threads: Mutex<Recent<(String, String), Option<u64>>>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            kinds: Mutex::new(Recent::new(REMEMBERED)),
            threads: Mutex::new(Recent::new(REMEMBERED)),
        }
    }

    fn kind(&self, channel: u64) -> Option<Kind> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(&channel).copied()
    }

    fn learn(&self, channel: u64, kind: Kind) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(channel, kind);
    }

    /// The thread in which the bot talks with the author of this message.
    pub(super) fn thread(&self, message: &Message) -> Option<u64> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.get(&whose(message)).copied().flatten()
    }

    /// The bot has opened a thread for the author of this message.
    pub(super) fn opened(&self, message: &Message, thread: u64) {
        let parent = message.place.channel.parse().ok();
        self.learn(thread, Kind::Thread { parent, mine: true });
        self.set_thread(message, Some(thread));
    }

    /// That thread is no more.
    pub(super) fn gone(&self, message: &Message) {
        self.set_thread(message, None);
    }

    fn set_thread(&self, message: &Message, thread: Option<u64>) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.insert(whose(message), thread);
    }
}

fn whose(message: &Message) -> (String, String) {
    (message.place.channel.clone(), message.author.id.clone())
}

impl Door {
    /// What a channel is; asked of Discord once. Where Discord does not say, it is no thread.
    pub(super) async fn kind(&self, channel: u64) -> Kind {
        if let Some(kind) = self.places.kind(channel) {
            return kind;
        }
        let found = match self.api.channel(channel).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot tell whether a channel is a thread");
                return Kind::Channel;
            }
        };
        let kind = match found.kind {
            ChannelType::PublicThread
            | ChannelType::PrivateThread
            | ChannelType::AnnouncementThread => Kind::Thread {
                parent: found.parent_id.map(twilight_model::id::Id::get),
                mine: found.owner_id.is_some() && found.owner_id == self.me.get().copied(),
            },
            _ => Kind::Channel,
        };
        self.places.learn(channel, kind);
        kind
    }

    /// Decides before a talk in a server is answered in which thread that will be: its own, the one that the
    /// bot has with its author, or a new one, which will have the message's id. What was said in a thread
    /// belongs to it in any case.
    pub(super) async fn settle(&self, message: &mut Message) {
        let talk = matches!(Ask::of(&message.text), Ask::Talk(_));
        let Ok(channel) = message.place.channel.parse() else {
            return;
        };
        if message.place.guild.is_none() || !(talk && self.config.threads) {
            return;
        }
        let thread = match self.kind(channel).await {
            Kind::Thread { parent, .. } => {
                if let Some(parent) = parent {
                    message.place.channel = parent.to_string();
                }
                Some(channel.to_string())
            }
            Kind::Channel => self.places.thread(message).map(|id| id.to_string()),
        };
        message.place.thread = thread.or_else(|| Some(message.id.clone()));
    }
}
