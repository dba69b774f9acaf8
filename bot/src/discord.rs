//! The door to Discord: what is said there is heard through the gateway and answered through the API.
//!
//! - `opening`: what comes before; `gateway`: the shards, and what is fatal; `shard`: one connection; `shards`: that
//!   one which ends is begun anew
//! - `sessions`, `progress`: what the next process needs in order to go on; `once`: whose it is to answer
//! - `hear`: which messages are meant for the bot; `slash`: the commands that Discord shows people
//! - `answer`, `used`: from what was heard to the answer in its place; `post`, `insist`: to say it once
//! - `places`: channels, threads, and whose they are
//! - `deliver`: what is said unasked; `guild`: roles of a server
//! - `api`, `limit`, `calls`, `role_calls`: Discord's HTTP API; `rights`: what the bot asks for, and why;
//!   `invite`: the same for people, without running it

mod answer;
mod api;
mod calls;
mod deliver;
mod gateway;
mod guild;
mod hear;
mod insist;
mod invite;
mod limit;
mod metrics;
mod once;
mod opening;
mod places;
mod post;
mod progress;
mod recent;
mod rights;
mod role_calls;
mod sessions;
mod shard;
mod shards;
mod slash;
mod used;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use twilight_model::id::Id;
use twilight_model::id::marker::UserMarker;

pub use invite::invite;
pub(crate) use metrics::{DiscordMetrics, Standing};

use crate::chat::Chat;
use crate::config::DiscordConfig;
use crate::deliver::Deliver;
use crate::guild::Guild;
use crate::message::new_id;
use crate::outbound::Dependency;
use crate::store::Store;
use api::{Api, ApiError};
use deliver::Courier;
use guild::DiscordGuild;
use once::Once;
use places::Places;
use recent::Recent;
use sessions::Sessions;

/// As many messages may be said again by a gateway that resumes.
const REMEMBERED: usize = 4096;

/// Why the door cannot be opened, or is shut for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscordError {
    /// No such file, or not ours to read.
    #[error("--discord-token-file: cannot read {}: {source}", path.display())]
    TokenFile {
        path: PathBuf,
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error(
        "--discord-token-file: the token is empty: write the one of the page \"Bot\" of your application"
    )]
    NoToken,
    /// No HTTP client can be made.
    #[error("--discord-api-url: {0}: write an address such as https://discord.com/api/v10")]
    Url(String),
    /// An invite link is for one application, and nobody said which.
    #[error(
        "which application is it? Give its id by --discord-application-id (it stands on the page \"General Information\" of your application), or the token by --discord-token-file, and Discord is asked for it"
    )]
    WhichApplication,
    /// Discord does not say which application the token belongs to.
    #[error("{0}: try again later, or give the application's id by --discord-application-id")]
    Application(ApiError),
    /// Discord does not know the token.
    #[error(
        "Discord refuses the token: reset it on the page \"Bot\" of your application and give the new one by --discord-token-file"
    )]
    Token,
    /// The gateway has closed, and would do so again.
    #[error("Discord's gateway refuses the bot ({code}): {advice}")]
    Closed { code: u16, advice: &'static str },
}

/// Discord, not connected yet.
pub(crate) struct Discord {
    config: DiscordConfig,
    token: SecretString,
    api: Arc<Api>,
    metrics: DiscordMetrics,
    me: Arc<OnceLock<Id<UserMarker>>>,
}

/// What all shards share once the door is open.
struct Door {
    config: DiscordConfig,
    api: Arc<Api>,
    chat: Arc<Chat>,
    metrics: DiscordMetrics,
    /// Ourselves, known before there is a session.
    me: Arc<OnceLock<Id<UserMarker>>>,
    /// What this process has heard; `once` knows of the others.
    seen: Mutex<Recent<u64, ()>>,
    once: Once,
    sessions: Arc<Sessions>,
    places: Places,
    tasks: TaskTracker,
}

impl Discord {
    /// What is called: the API, and the part of it that answers slash commands.
    pub(crate) const DEPENDENCIES: [&'static str; 2] = ["discord", "discord-interactions"];

    /// None without a token: then there is no such door.
    pub(crate) fn new(
        config: &DiscordConfig,
        dependencies: [Dependency; 2],
        metrics: DiscordMetrics,
    ) -> Result<Option<Self>, DiscordError> {
        let Some(token) = token(config)? else {
            return Ok(None);
        };
        let limited = metrics.limited.clone();
        let api = Arc::new(Api::new(&config.api_url, &token, dependencies, limited)?);
        Ok(Some(Self {
            config: config.clone(),
            token,
            api,
            metrics,
            me: Arc::default(),
        }))
    }

    /// The servers' roles, where the bot may give them.
    pub(crate) fn guild(&self) -> Option<Arc<dyn Guild>> {
        let (api, me) = (Arc::clone(&self.api), Arc::clone(&self.me));
        let guild = DiscordGuild::new(api, me, &self.config.moderator_roles);
        self.config.roles.then(|| Arc::new(guild) as Arc<dyn Guild>)
    }

    /// How it stands, at any time.
    pub(crate) fn metrics(&self) -> DiscordMetrics {
        self.metrics.clone()
    }

    /// Speaks unasked.
    pub(crate) fn deliver(&self) -> Arc<dyn Deliver> {
        Arc::new(Courier::new(Arc::clone(&self.api), self.metrics.clone()))
    }

    /// Hears and answers until `stop`, and then finishes what it has heard.
    pub(crate) async fn serve(
        self,
        chat: Arc<Chat>,
        store: Store,
        stop: CancellationToken,
    ) -> Result<(), DiscordError> {
        let holder = new_id();
        let intents = rights::intents(&self.config).bits();
        let sessions = Arc::new(Sessions::new(store.clone(), &holder, intents));
        let door = Arc::new(Door {
            api: self.api,
            chat,
            metrics: self.metrics,
            me: self.me,
            seen: Mutex::new(Recent::new(REMEMBERED)),
            once: Once {
                store: store.clone(),
                holder,
                stop: stop.clone(),
            },
            sessions: Arc::clone(&sessions),
            places: Places::new(store),
            tasks: TaskTracker::new(),
            config: self.config,
        });
        // ends when this does
        let mut keeping = JoinSet::new();
        let kept = Arc::clone(&sessions);
        keeping.spawn(async move { kept.keep().await });
        let served = gateway::serve(&door, &self.token, &stop).await;
        door.tasks.close();
        if served.is_ok() {
            door.tasks.wait().await;
        }
        keeping.shutdown().await;
        sessions.leave().await;
        served
    }
}

fn token(config: &DiscordConfig) -> Result<Option<SecretString>, DiscordError> {
    let token = match &config.token_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|source| DiscordError::TokenFile {
                path: path.clone(),
                source,
            })?;
            Some(SecretString::from(text.trim()))
        }
        None => config.token.clone(),
    };
    match token {
        Some(token) if token.expose_secret().is_empty() => Err(DiscordError::NoToken),
        token => Ok(token),
    }
}
