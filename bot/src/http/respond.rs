//! What became of a message, as HTTP says it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::chat::Reply;
use crate::metrics::Outcome;

/// When to ask again, where nothing better is known.
const RETRY_SECONDS: u64 = 2;

#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// A request that is no message at all.
pub(super) fn refuse(status: StatusCode, error: impl Into<String>) -> Response {
    let error = error.into();
    (status, Json(Refusal { error })).into_response()
}

/// A message that was taken; with no reply there is nothing to say, though HTTP has to answer.
pub(super) fn respond(outcome: Outcome, reply: Option<Reply>) -> Response {
    let status = match outcome {
        // a feature that is off has answered as it should
        Outcome::Ok | Outcome::Off | Outcome::Stopped => StatusCode::OK,
        Outcome::Ignored => StatusCode::NO_CONTENT,
        Outcome::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        Outcome::Denied => StatusCode::FORBIDDEN,
        Outcome::Limited => StatusCode::TOO_MANY_REQUESTS,
        Outcome::Shed => StatusCode::SERVICE_UNAVAILABLE,
        Outcome::Error => StatusCode::GATEWAY_TIMEOUT,
    };
    let seconds = reply.as_ref().and_then(|reply| reply.retry_after);
    let response = match reply {
        Some(reply) => (status, Json(reply)).into_response(),
        None if outcome == Outcome::Limited => refuse(status, "that was too often"),
        None => status.into_response(),
    };
    if matches!(outcome, Outcome::Limited | Outcome::Shed) {
        retry_after(response, seconds.unwrap_or(RETRY_SECONDS))
    } else {
        response
    }
}

/// Says when to ask again.
pub(super) fn retry_after(mut response: Response, seconds: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
