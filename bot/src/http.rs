//! The one door so far: the page, the chat, status, metrics and health.

mod page;
mod status;

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::chat::Chat;
use crate::flags::FlagStore;
use crate::message::{Author, Door, Message, Place, new_id};
use crate::metrics::{self, CONTENT_TYPE, Outcome};

const MOST_BYTES: usize = 16 * 1024;
const MOST_CHARACTERS: usize = 2000;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) chat: Chat,
    pub(crate) flags: Arc<FlagStore>,
    pub(crate) registry: Registry,
    /// Cancelled when the bot was told to stop.
    pub(crate) draining: CancellationToken,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/chat", post(chat))
        .route("/status", get(status::status))
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(app)
        .merge(page::router())
}

#[derive(Deserialize)]
struct Said {
    message: String,
    #[serde(default)]
    user: String,
}

#[derive(Serialize)]
struct Refusal {
    error: String,
}

fn refuse(status: StatusCode, error: impl Into<String>) -> Response {
    let error = error.into();
    (status, Json(Refusal { error })).into_response()
}

async fn chat(State(app): State<Arc<App>>, body: Result<Json<Said>, JsonRejection>) -> Response {
    let Said { message, user } = match body {
        Ok(Json(message)) => message,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text()),
    };
    if message.trim().is_empty() {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "the message is empty");
    }
    if message.chars().count() > MOST_CHARACTERS {
        let error = format!("a message has at most {MOST_CHARACTERS} characters");
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, error);
    }
    let user: String = match user.trim() {
        "" => "dear guest".to_owned(),
        user => user.chars().filter(|c| !c.is_control()).take(40).collect(),
    };
    let message = Message {
        id: new_id(),
        door: Door::Api,
        place: Place::default(),
        author: Author {
            id: String::new(),
            name: user,
            moderator: false,
        },
        text: message,
    };
    let (outcome, reply) = app.chat.answer(&message).await;
    match outcome {
        // a feature that is off has answered as it should
        Outcome::Ok | Outcome::Off | Outcome::Stopped => Json(reply).into_response(),
        Outcome::Denied => (StatusCode::FORBIDDEN, Json(reply)).into_response(),
        Outcome::Limited => {
            let retry = [(header::RETRY_AFTER, "2")];
            (StatusCode::TOO_MANY_REQUESTS, retry, Json(reply)).into_response()
        }
        Outcome::Shed => later(Json(reply)),
        Outcome::Error => (StatusCode::GATEWAY_TIMEOUT, Json(reply)).into_response(),
    }
}

fn later(reply: impl IntoResponse) -> Response {
    let retry = [(header::RETRY_AFTER, "2")];
    (StatusCode::SERVICE_UNAVAILABLE, retry, reply).into_response()
}

async fn scrape(State(app): State<Arc<App>>) -> Response {
    match metrics::render(&app.registry) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else {
        (StatusCode::OK, "ok")
    }
}
