//! Where things are said: which channels are threads, and which thread belongs to whom.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use twilight_model::channel::ChannelType;

use super::Door;
use super::recent::Recent;
use crate::ask::Ask;
use crate::message::Message;
use crate::store::{Store, millis, now_ms};

/// Channels and threads that are remembered; of others Discord is asked again.
const REMEMBERED: usize = 4096;

/// An answer does not wait longer for a store that is slow.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is noted that a thread is in use.
const NOTED: Duration = Duration::from_hours(24);

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

/// The thread of a person in a channel, and when that was written down; none where it is gone.
type Threads = Recent<(String, String), Option<(u64, i64)>>;

/// What is known of channels.
pub(super) struct Places {
    kinds: Mutex<Recent<u64, Kind>>,
    threads: Mutex<Threads>,
    /// Threads outlive the process there.
    store: Store,
}

impl Places {
    pub(super) fn new(store: Store) -> Self {
        Self {
            kinds: Mutex::new(Recent::new(REMEMBERED)),
            threads: Mutex::new(Recent::new(REMEMBERED)),
            store,
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

    /// The thread in which the bot talks with the author of this message, as far as this process knows.
    pub(super) fn thread(&self, message: &Message) -> Option<u64> {
        let known = self.threads().get(&whose(message)).copied().flatten();
        known.map(|(thread, _)| thread)
    }

    /// The same, from the store where this process does not know.
    async fn recall(&self, message: &Message) -> Option<u64> {
        let known = self.threads().get(&whose(message)).copied();
        if let Some(known) = known {
            let (thread, noted) = known?;
            if now_ms().saturating_sub(noted) > millis(NOTED) {
                self.note(message, thread).await;
            }
            return Some(thread);
        }
        let (channel, person) = whose(message);
        let kept = timeout(PATIENCE, self.store.thread(&channel, &person));
        let thread = kept.await.ok()?.ok()??.parse().ok()?;
        // when it was noted is not known, so it is noted with the next talk
        self.set_thread(message, Some((thread, 0)));
        Some(thread)
    }

    /// The bot has opened a thread for the author of this message.
    pub(super) async fn opened(&self, message: &Message, thread: u64) {
        let parent = message.place.channel.parse().ok();
        self.learn(thread, Kind::Thread { parent, mine: true });
        self.note(message, thread).await;
    }

    async fn note(&self, message: &Message, thread: u64) {
        let (channel, person) = whose(message);
        let now = now_ms();
        self.set_thread(message, Some((thread, now)));
        let thread = thread.to_string();
        let noted = self.store.set_thread(&channel, &person, &thread, now);
        if !matches!(timeout(PATIENCE, noted).await, Ok(Ok(()))) {
            tracing::warn!("whose a thread is will be forgotten with this process");
        }
    }

    /// That thread is no more.
    pub(super) async fn gone(&self, message: &Message) {
        self.set_thread(message, None);
        let (channel, person) = whose(message);
        let unset = self.store.unset_thread(&channel, &person);
        let _ = timeout(PATIENCE, unset).await; // the next process finds out by itself
    }

    fn set_thread(&self, message: &Message, thread: Option<(u64, i64)>) {
        self.threads().insert(whose(message), thread);
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
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
            Kind::Channel => self.places.recall(message).await.map(|id| id.to_string()),
        };
        message.place.thread = thread.or_else(|| Some(message.id.clone()));
    }
}
