//! The roles of a Discord server.

use std::sync::{Arc, OnceLock};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use twilight_model::guild::Permissions;
use twilight_model::id::Id;
use twilight_model::id::marker::{RoleMarker, UserMarker};

use super::api::{Api, ApiError};
use super::role_calls::Role;
use crate::guild::{Guild, GuildError, GuildRole};

/// What moderates, manages or reaches everybody is not for people to give themselves.
const POWERFUL: Permissions = Permissions::ADMINISTRATOR
    .union(Permissions::KICK_MEMBERS)
    .union(Permissions::BAN_MEMBERS)
    .union(Permissions::MODERATE_MEMBERS)
    .union(Permissions::MANAGE_CHANNELS)
    .union(Permissions::MANAGE_GUILD)
    .union(Permissions::MANAGE_MESSAGES)
    .union(Permissions::MANAGE_NICKNAMES)
    .union(Permissions::MANAGE_ROLES)
    .union(Permissions::MANAGE_WEBHOOKS)
    .union(Permissions::MANAGE_GUILD_EXPRESSIONS)
    .union(Permissions::MANAGE_EVENTS)
    .union(Permissions::MANAGE_THREADS)
    .union(Permissions::MENTION_EVERYONE)
    .union(Permissions::MUTE_MEMBERS)
    .union(Permissions::DEAFEN_MEMBERS)
    .union(Permissions::MOVE_MEMBERS)
    .union(Permissions::VIEW_AUDIT_LOG)
    .union(Permissions::VIEW_GUILD_INSIGHTS)
    .union(Permissions::VIEW_CREATOR_MONETIZATION_ANALYTICS)
    .union(Permissions::PIN_MESSAGES)
    .union(Permissions::BYPASS_SLOWMODE);

pub(super) struct DiscordGuild {
    api: Arc<Api>,
    /// Known where there is a door; whoever only acts there asks.
    me: Arc<OnceLock<Id<UserMarker>>>,
    /// The roles that make a moderator of the bot's.
    moderators: Vec<u64>,
}

impl DiscordGuild {
    pub(super) fn new(
        api: Arc<Api>,
        me: Arc<OnceLock<Id<UserMarker>>>,
        moderators: &[u64],
    ) -> Self {
        let moderators = moderators.to_vec();
        Self {
            api,
            me,
            moderators,
        }
    }

    async fn list(&self, guild: &str) -> Result<Vec<GuildRole>, GuildError> {
        let guild = id(guild)?;
        let me = self.me().await.map_err(|error| told(&error))?;
        let (roles, own) = futures::try_join!(self.api.roles(guild), self.api.member(guild, me))
            .map_err(|error| told(&error))?;
        let everyone = roles.iter().filter(|role| role.id.get() == guild.get());
        let everyone: Vec<Id<_>> = everyone.map(|role| role.id).collect();
        let roles = judged(&roles, &own.roles, &self.moderators);
        let listed = roles.into_iter();
        Ok(listed
            .filter(|role| everyone.iter().all(|id| id.to_string() != role.id))
            .collect())
    }

    async fn me(&self) -> Result<Id<UserMarker>, ApiError> {
        if let Some(&me) = self.me.get() {
            return Ok(me);
        }
        let me = self.api.me().await?;
        Ok(*self.me.get_or_init(|| me))
    }

    async fn set(&self, guild: &str, user: &str, role: &str, has: bool) -> Result<(), GuildError> {
        let done = self.api.set_role(id(guild)?, id(user)?, id(role)?, has);
        done.await.map_err(|error| told(&error))
    }
}

/// Which of them are powerful, at Discord or over the bot, and which in reach of somebody who has `own`.
fn judged(roles: &[Role], own: &[Id<RoleMarker>], moderators: &[u64]) -> Vec<GuildRole> {
    let mine = roles.iter().filter(|role| own.contains(&role.id));
    let top = mine.map(|role| role.position).max().unwrap_or(0);
    let judge = |role: &Role| GuildRole {
        id: role.id.to_string(),
        name: role.name.clone(),
        powerful: role.permissions.intersects(POWERFUL) || moderators.contains(&role.id.get()),
        // Discord lets nobody give a role of their own height
        within_reach: role.position < top && !role.managed,
    };
    roles.iter().map(judge).collect()
}

fn id<T>(text: &str) -> Result<Id<T>, GuildError> {
    let number = text.parse().ok().and_then(Id::new_checked);
    number.ok_or_else(|| GuildError::Refused("that is no id of Discord's".to_owned()))
}

fn told(error: &ApiError) -> GuildError {
    match error {
        ApiError::Refused { .. } => GuildError::Refused(error.to_string()),
        ApiError::Call(_) | ApiError::Shape(_) => GuildError::Unavailable(error.to_string()),
    }
}

impl Guild for DiscordGuild {
    fn roles<'a>(&'a self, guild: &'a str) -> BoxFuture<'a, Result<Vec<GuildRole>, GuildError>> {
        self.list(guild).boxed()
    }

    fn set_role<'a>(
        &'a self,
        guild: &'a str,
        user: &'a str,
        role: &'a str,
        has: bool,
    ) -> BoxFuture<'a, Result<(), GuildError>> {
        self.set(guild, user, role, has).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: u64, position: i64, permissions: Permissions) -> Role {
        Role {
            id: Id::new(id),
            name: format!("role {id}"),
            position,
            permissions,
            managed: id == 9,
        }
    }

    #[test]
    fn power_and_height_are_seen() {
        let roles = [
            role(1, 5, Permissions::empty()),
            role(2, 1, Permissions::SEND_MESSAGES),
            role(3, 2, Permissions::BAN_MEMBERS | Permissions::SEND_MESSAGES),
            role(4, 5, Permissions::empty()),
            role(5, 1, Permissions::empty()),
            role(9, 1, Permissions::empty()),
        ];
        // Discord gives a moderator of the bot's no power of its own
        let judged = judged(&roles, &[Id::new(1)], &[5]);
        let open: Vec<&str> = judged
            .iter()
            .filter(|role| role.within_reach && !role.powerful)
            .map(|role| role.id.as_str())
            .collect();
        assert_eq!(open, ["2"]);
        assert!(judged[2].powerful && judged[4].powerful);
        assert!(
            super::judged(&roles, &[], &[])
                .iter()
                .all(|role| !role.within_reach)
        );
    }
}
