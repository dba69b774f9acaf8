//! A server's roles, whoever keeps them.

use futures::future::BoxFuture;

/// One role, and whether the bot may give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuildRole {
    pub(crate) id: String,
    pub(crate) name: String,
    /// It has a permission that nobody should be able to give to themselves.
    pub(crate) powerful: bool,
    /// It stands below the bot's own highest role, and no other bot owns it.
    pub(crate) within_reach: bool,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GuildError {
    /// The server does not let the bot.
    #[error("the server does not let the bot: {0}")]
    Refused(String),
    /// It is not to be had at the moment.
    #[error("the server is not to be had: {0}")]
    Unavailable(String),
}

/// Where people have roles.
pub(crate) trait Guild: Send + Sync {
    /// All of a server's roles but the one that everybody has.
    fn roles<'a>(&'a self, guild: &'a str) -> BoxFuture<'a, Result<Vec<GuildRole>, GuildError>>;

    /// Gives a member a role, or takes it back; twice is as good as once.
    fn set_role<'a>(
        &'a self,
        guild: &'a str,
        user: &'a str,
        role: &'a str,
        has: bool,
    ) -> BoxFuture<'a, Result<(), GuildError>>;
}
