//! The bot's own door: the page with its events, the moderators' desk, the chat for programs, status,
//! metrics and health.

mod body;
mod cookie;
mod desk;
mod events;
mod impatient;
mod inbox;
mod origin;
mod page;
mod probes;
mod respond;
mod serve;
mod session;
mod status;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::chat::Chat;
use crate::config::WebConfig;
use crate::discord::DiscordMetrics;
use crate::flags::FlagStore;
use crate::manners::Manners;
use crate::metrics::{self, CONTENT_TYPE};
use crate::stops::Stops;
use crate::store::Store;
use desk::{Desk, DeskError};
use events::Hub;
pub(crate) use inbox::Inbox;
pub(crate) use probes::Probes;
use respond::refuse;
pub(crate) use serve::{Connections, serve};

const MOST_BYTES: usize = 16 * 1024;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) chat: Arc<Chat>,
    pub(crate) flags: Arc<FlagStore>,
    pub(crate) manners: Arc<Manners>,
    pub(crate) store: Store,
    pub(crate) stops: Arc<Stops>,
    pub(crate) probes: Probes,
    /// Where that door is open.
    pub(crate) discord: Option<DiscordMetrics>,
    pub(crate) registry: Registry,
    pub(crate) web: Web,
    /// Cancelled when the bot was told to stop: nobody should send it anything new.
    pub(crate) leaving: CancellationToken,
    /// Cancelled when it takes nothing new any more.
    pub(crate) draining: CancellationToken,
}

/// What the page and the desk stand on.
pub(crate) struct Web {
    pub(crate) hub: Arc<Hub>,
    /// How long one stream may be.
    stream_age: Duration,
    /// When this process began.
    begun: Timestamp,
    desk: Desk,
    /// Whether cookies are for HTTPS alone.
    https: bool,
}

impl Web {
    pub(crate) fn new(config: &WebConfig, registry: &mut Registry) -> Result<Self, DeskError> {
        Ok(Self {
            hub: Arc::new(Hub::new(config.page_streams, registry)),
            stream_age: config.page_stream_age,
            begun: Timestamp::now(),
            desk: Desk::new(config, registry)?,
            https: config.page_https,
        })
    }
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let from_the_page = Router::new()
        .route("/say", post(talk::say))
        .route("/heard", post(events::heard))
        .merge(desk::orders())
        .route_layer(from_fn(origin::same));
    Router::new()
        .route("/chat", post(talk::chat))
        .route("/events", get(events::events))
        .route("/said", get(events::said))
        .route("/inbox", get(inbox::inbox))
        .route("/status", get(status::status))
        .route("/metrics", get(scrape))
        .merge(probes::router())
        .merge(from_the_page)
        .merge(desk::views())
        .merge(page::router())
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(app)
}

/// What a worker serves: it has no doors.
pub(crate) fn worker_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/status", get(status::status))
        .route("/metrics", get(scrape))
        .merge(probes::router())
        .with_state(app)
}

async fn scrape(State(app): State<Arc<App>>) -> Response {
    match metrics::render(&app.registry) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
