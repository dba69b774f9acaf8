//! What is asked by whoever watches the bot: is it alive, has it started, should it get messages, and
//! does it really answer?
//!
//! | probe | asks | says no |
//! | --- | --- | --- |
//! | `/healthz` | does the process serve at all | never by itself: a bot that is busy or has lost its database gains nothing by a restart |
//! | `/startupz` | may it begin | until the store answers and each source of flags has spoken, or ten seconds have passed: a pod that starts amid an incident should not begin with everything on |
//! | `/readyz` | should it get messages | while it stops; what all replicas share takes none of them out |
//! | `/check` | does a command come through | when `!ping`, through the real pipeline and pool, is not answered |

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::App;
use super::respond::respond;
use crate::chat::Reply;
use crate::flags::SourceState;
use crate::message::{Author, Door, Message, Place, new_id};
use crate::metrics::Outcome;

/// Flags and a store that have not come by then come later.
const PATIENCE: Duration = Duration::from_secs(10);
/// However many ask, a check is made once in that time.
const FRESH: Duration = Duration::from_secs(1);

/// What the probes remember.
pub(crate) struct Probes {
    begun: Instant,
    check: Mutex<Option<(Instant, Outcome, Option<Reply>)>>,
}

impl Probes {
    /// At the start.
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            check: Mutex::default(),
        }
    }
}

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/startupz", get(started))
        .route("/readyz", get(ready))
        .route("/check", get(check))
}

async fn started(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    let silent = || {
        let mut sources = app.flags.sources().into_values();
        sources.any(|state| state == SourceState::None)
    };
    if app.probes.begun.elapsed() < PATIENCE && silent() {
        (StatusCode::SERVICE_UNAVAILABLE, "no flags yet")
    } else if app.probes.begun.elapsed() < PATIENCE && !app.store.is_up() {
        (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer")
    } else {
        (StatusCode::OK, "ok")
    }
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.leaving.is_cancelled() || app.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else {
        (StatusCode::OK, "ok")
    }
}

/// The synthetic check: 200 with the reply where a command is answered.
async fn check(State(app): State<Arc<App>>) -> Response {
    let mut last = app.probes.check.lock().await;
    if let Some((at, outcome, reply)) = &*last
        && at.elapsed() < FRESH
    {
        return respond(*outcome, reply.clone());
    }
    let message = Message {
        own_way: false,
        id: new_id(),
        door: Door::Check,
        place: Place::default(),
        author: Author {
            id: String::new(),
            name: String::new(),
            moderator: false,
        },
        text: "!ping".to_owned(),
    };
    let (outcome, reply) = app.chat.answer(&message).await;
    *last = Some((Instant::now(), outcome, reply.clone()));
    respond(outcome, reply)
}
