//! What came in, whichever door it came through.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One message of one person. It is data, and travels between processes as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Unique, also across restarts: Discord's own id, or one drawn at the door. Whatever is done for a
    /// message is done once for this id.
    pub(crate) id: String,
    pub(crate) door: Door,
    pub(crate) place: Place,
    pub(crate) author: Author,
    /// As it was typed.
    pub(crate) text: String,
    /// The door answers it in a way that only it knows and maybe only one person sees, as a slash command: no other
    /// process says its answer elsewhere.
    #[serde(default)]
    pub(crate) own_way: bool,
}

/// How people reach the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Door {
    /// A Discord server, or a direct message there.
    Discord,
    /// The bot's own page.
    Page,
    /// `POST /chat`.
    Api,
    /// A prober's synthetic check: nobody's message.
    Check,
}

impl Door {
    pub(crate) const ALL: [Self; 4] = [Self::Discord, Self::Page, Self::Api, Self::Check];

    /// As metrics and logs call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Page => "page",
            Self::Api => "api",
            Self::Check => "check",
        }
    }
}

/// Where it was said, and so where the answer belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The server; none in a direct message and on the page.
    pub(crate) guild: Option<String>,
    /// The channel, or the session of a page.
    pub(crate) channel: String,
    /// The thread in that channel, where it was said in one.
    pub(crate) thread: Option<String>,
}

impl Place {
    /// What belongs to one conversation: the thread, or else the channel.
    pub(crate) fn conversation(&self) -> &str {
        self.thread.as_deref().unwrap_or(&self.channel)
    }
}

/// Who said it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Author {
    /// Discord's id, or the session's.
    pub(crate) id: String,
    /// How to address them.
    pub(crate) name: String,
    /// Whether the door knows them as a moderator.
    pub(crate) moderator: bool,
}

/// Logs never hold a person's id or name by accident.
impl fmt::Debug for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Author")
            .field("moderator", &self.moderator)
            .finish_non_exhaustive()
    }
}

/// A new id for a message that came without one.
pub(crate) fn new_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}
