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
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::chat::Chat;
use crate::flags::FlagStore;
use crate::metrics::{CONTENT_TYPE, Metrics, Outcome};

const MOST_BYTES: usize = 16 * 1024;
const MOST_CHARACTERS: usize = 2000;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) chat: Chat,
    pub(crate) flags: Arc<FlagStore>,
    pub(crate) metrics: Arc<Metrics>,
    /// Cancelled when the bot was told to stop.
    pub(crate) draining: CancellationToken,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/chat", post(chat))
        .route("/status", get(status::status))
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(app)
        .merge(page::router())
}

#[derive(Deserialize)]
struct Message {
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

async fn chat(State(app): State<Arc<App>>, body: Result<Json<Message>, JsonRejection>) -> Response {
    let Message { message, user } = match body {
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
    let (outcome, reply) = app.chat.answer(&message, &user).await;
    match outcome {
        // a feature that is off has answered as it should
        Outcome::Ok | Outcome::Off => Json(reply).into_response(),
        Outcome::Shed => later(Json(reply)),
        Outcome::Error => (StatusCode::GATEWAY_TIMEOUT, Json(reply)).into_response(),
    }
}

fn later(reply: impl IntoResponse) -> Response {
    let retry = [(header::RETRY_AFTER, "2")];
    (StatusCode::SERVICE_UNAVAILABLE, retry, reply).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.render() {
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
