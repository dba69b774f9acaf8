//! What the bot asks of Discord's API, one function each.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::Instant;
use twilight_http::request::Request;
use twilight_http::request::channel::reaction::RequestReactionType;
use twilight_http::routing::Route;
use twilight_model::channel::ChannelType;
use twilight_model::id::Id;
use twilight_model::id::marker::{ApplicationMarker, ChannelMarker, UserMarker};

use super::api::{Api, ApiError};

/// Discord drops an interaction that nobody acknowledged within 3 s.
const ACKNOWLEDGE: Duration = Duration::from_millis(2500);
/// For what nobody waits for at the other end of a line.
const PATIENCE: Duration = Duration::from_secs(30);
/// For what an answer waits for.
const LOOK: Duration = Duration::from_secs(5);
/// A thread without a word for a day is put away; the next word brings it back.
const THREAD_MINUTES: u16 = 1440;
/// What a thread's name may have.
const NAME_CHARACTERS: usize = 80;
/// "A thread has already been created for this message".
const THREAD_EXISTS: u64 = 160_004;
/// "Interaction has already been acknowledged".
const ACKNOWLEDGED: u64 = 40_060;
/// Only the asker sees it.
const EPHEMERAL: u64 = 1 << 6;

/// Where to connect, with what care.
#[derive(Debug, Deserialize)]
pub(super) struct GatewayInfo {
    pub(super) url: String,
    pub(super) shards: u32,
    pub(super) session_start_limit: SessionStarts,
}

#[derive(Debug, Deserialize)]
pub(super) struct SessionStarts {
    pub(super) total: u32,
    pub(super) remaining: u32,
    /// Milliseconds.
    pub(super) reset_after: u64,
    pub(super) max_concurrency: u16,
}

#[derive(Debug, Deserialize)]
struct Application {
    id: Id<ApplicationMarker>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Channel {
    #[serde(rename = "type")]
    pub(super) kind: ChannelType,
    pub(super) parent_id: Option<Id<ChannelMarker>>,
    pub(super) owner_id: Option<Id<UserMarker>>,
}

impl Api {
    pub(super) async fn gateway(&self) -> Result<GatewayInfo, ApiError> {
        let request = Request::from_route(&Route::GetGatewayBot);
        self.send(&request, soon()).await
    }

    /// The id of the application that the token belongs to.
    pub(super) async fn application(&self) -> Result<u64, ApiError> {
        let request = Request::from_route(&Route::GetCurrentUserApplicationInfo);
        let application: Application = self.send(&request, soon()).await?;
        Ok(application.id.get())
    }

    /// The commands that are registered, everywhere or in one server.
    pub(super) async fn commands(
        &self,
        application_id: u64,
        guild: Option<u64>,
    ) -> Result<Vec<Value>, ApiError> {
        let with_localizations = None;
        let route = match guild {
            Some(guild_id) => Route::GetGuildCommands {
                application_id,
                guild_id,
                with_localizations,
            },
            None => Route::GetGlobalCommands {
                application_id,
                with_localizations,
            },
        };
        self.send(&Request::from_route(&route), soon()).await
    }

    /// Registers these commands and no others.
    pub(super) async fn set_commands(
        &self,
        application_id: u64,
        guild: Option<u64>,
        commands: &[Value],
    ) -> Result<(), ApiError> {
        let route = match guild {
            Some(guild_id) => Route::SetGuildCommands {
                application_id,
                guild_id,
            },
            None => Route::SetGlobalCommands { application_id },
        };
        self.tell(&route, &json!(commands), soon()).await
    }

    pub(super) async fn channel(&self, channel: u64) -> Result<Channel, ApiError> {
        let channel_id = channel;
        let request = Request::from_route(&Route::GetChannel { channel_id });
        self.send(&request, Instant::now() + LOOK).await
    }

    /// Posts a message.
    pub(super) async fn post(
        &self,
        channel_id: u64,
        body: &Value,
        deadline: Instant,
    ) -> Result<(), ApiError> {
        let route = Route::CreateMessage { channel_id };
        self.tell(&route, body, deadline).await
    }

    /// Opens the thread of a message, whose id is the message's, unless it is open already.
    pub(super) async fn open_thread(
        &self,
        channel_id: u64,
        message_id: u64,
        name: &str,
    ) -> Result<(), ApiError> {
        let name: String = name.chars().take(NAME_CHARACTERS).collect();
        let body = json!({"name": name, "auto_archive_duration": THREAD_MINUTES});
        let route = Route::CreateThreadFromMessage {
            channel_id,
            message_id,
        };
        match self.tell(&route, &body, soon()).await {
            Err(ApiError::Refused { code, .. }) if code == THREAD_EXISTS => Ok(()),
            result => result,
        }
    }

    pub(super) async fn react(
        &self,
        channel_id: u64,
        message_id: u64,
        emoji: &str,
    ) -> Result<(), ApiError> {
        let route = Route::CreateReaction {
            channel_id,
            emoji: &RequestReactionType::Unicode { name: emoji },
            message_id,
        };
        let _: IgnoredAny = self.send(&Request::from_route(&route), soon()).await?;
        Ok(())
    }

    /// Tells Discord that an answer will come.
    pub(super) async fn acknowledge(
        &self,
        interaction_id: u64,
        token: &str,
        ephemeral: bool,
    ) -> Result<(), ApiError> {
        let flags = if ephemeral { EPHEMERAL } else { 0 };
        let body = json!({"type": 5, "data": {"flags": flags}});
        let route = Route::InteractionCallback {
            interaction_id,
            interaction_token: token,
            with_response: false,
        };
        let deadline = Instant::now() + ACKNOWLEDGE;
        match self.whisper(&route, &body, deadline).await {
            // by an attempt whose answer was lost
            Err(ApiError::Refused { code, .. }) if code == ACKNOWLEDGED => Ok(()),
            result => result,
        }
    }

    /// The answer that was promised.
    pub(super) async fn fulfil(
        &self,
        application_id: u64,
        token: &str,
        body: &Value,
        deadline: Instant,
    ) -> Result<(), ApiError> {
        let route = Route::UpdateInteractionOriginal {
            application_id,
            interaction_token: token,
        };
        self.whisper(&route, body, deadline).await
    }

    async fn tell(&self, to: &Route<'_>, body: &Value, deadline: Instant) -> Result<(), ApiError> {
        let request = Request::builder(to).json(body).build();
        let request = request.map_err(|error| ApiError::Shape(error.to_string()))?;
        let _: IgnoredAny = self.send(&request, deadline).await?;
        Ok(())
    }

    /// As [`Self::tell`], by the right that an interaction's token gives.
    async fn whisper(
        &self,
        to: &Route<'_>,
        body: &Value,
        deadline: Instant,
    ) -> Result<(), ApiError> {
        let request = Request::builder(to)
            .json(body)
            .use_authorization_token(false);
        let request = request.build();
        let request = request.map_err(|error| ApiError::Shape(error.to_string()))?;
        let _: IgnoredAny = self.send(&request, deadline).await?;
        Ok(())
    }
}

pub(super) fn soon() -> Instant {
    Instant::now() + PATIENCE
}
