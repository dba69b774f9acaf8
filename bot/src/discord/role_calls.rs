//! What the bot asks of Discord's API about roles.

use serde::Deserialize;
use serde::de::IgnoredAny;
use twilight_http::request::Request;
use twilight_http::routing::Route;
use twilight_model::guild::Permissions;
use twilight_model::id::Id;
use twilight_model::id::marker::{GuildMarker, RoleMarker, UserMarker};

use super::api::{Api, ApiError};
use super::calls::soon;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Role {
    pub(super) id: Id<RoleMarker>,
    pub(super) name: String,
    pub(super) position: i64,
    pub(super) permissions: Permissions,
    /// Belongs to a bot or a subscription: Discord gives it, nobody else.
    #[serde(default)]
    pub(super) managed: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) roles: Vec<Id<RoleMarker>>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: Id<UserMarker>,
}

impl Api {
    /// Whom the token belongs to.
    pub(super) async fn me(&self) -> Result<Id<UserMarker>, ApiError> {
        let request = Request::from_route(&Route::GetCurrentUser);
        let user: User = self.send(&request, soon()).await?;
        Ok(user.id)
    }

    pub(super) async fn roles(&self, guild: Id<GuildMarker>) -> Result<Vec<Role>, ApiError> {
        let guild_id = guild.get();
        let request = Request::from_route(&Route::GetGuildRoles { guild_id });
        self.send(&request, soon()).await
    }

    pub(super) async fn member(
        &self,
        guild: Id<GuildMarker>,
        user: Id<UserMarker>,
    ) -> Result<Member, ApiError> {
        let (guild_id, user_id) = (guild.get(), user.get());
        let request = Request::from_route(&Route::GetMember { guild_id, user_id });
        self.send(&request, soon()).await
    }

    /// Gives a member a role, or takes it back.
    pub(super) async fn set_role(
        &self,
        guild: Id<GuildMarker>,
        user: Id<UserMarker>,
        role: Id<RoleMarker>,
        has: bool,
    ) -> Result<(), ApiError> {
        let (guild_id, user_id, role_id) = (guild.get(), user.get(), role.get());
        let route = if has {
            Route::AddMemberRole {
                guild_id,
                role_id,
                user_id,
            }
        } else {
            Route::RemoveMemberRole {
                guild_id,
                role_id,
                user_id,
            }
        };
        let _: IgnoredAny = self.send(&Request::from_route(&route), soon()).await?;
        Ok(())
    }
}
