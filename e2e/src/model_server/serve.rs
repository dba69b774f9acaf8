//! `POST /v1/chat/completions`.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Mode, Recorded, Shared, State, lock};

/// What to do with a request, decided when it comes.
struct Plan {
    /// Its place among the recorded.
    index: usize,
    wait: Duration,
    outcome: Outcome,
}

enum Outcome {
    Mode(Mode),
    Refuse,
    /// Seconds until the quota is new.
    Spent(u64),
    /// Seconds until it may be tried again.
    Hurry(u64),
}

pub(super) async fn complete(
    Extract(shared): Extract<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .unwrap_or_default()
        .to_owned();
    let plan = plan(&mut lock(&shared), key, body.clone());
    tokio::time::sleep(plan.wait).await;
    let response = match plan.outcome {
        Outcome::Mode(Mode::Answer) => Json(answer(&body, plan.index)).into_response(),
        Outcome::Mode(Mode::Fail(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            error(status, "server_error", "The server had an error.", None)
        }
        Outcome::Mode(Mode::Hang) => std::future::pending().await,
        Outcome::Mode(Mode::Malformed) => {
            Json(json!({"choices": [{"message": {"content": null}}]})).into_response()
        }
        Outcome::Mode(Mode::Torn) => torn(),
        Outcome::Refuse => error(
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "Incorrect API key provided.",
            None,
        ),
        Outcome::Spent(seconds) => error(
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            "You exceeded your current quota.",
            Some(seconds),
        ),
        Outcome::Hurry(seconds) => error(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            "Rate limit reached.",
            Some(seconds),
        ),
    };
    lock(&shared).requests[plan.index].status = response.status().as_u16();
    response
}

/// Counts the request and decides what becomes of it, in the order of a real one: the key, how fast, how much.
fn plan(state: &mut State, key: String, body: Value) -> Plan {
    let index = state.requests.len();
    let outcome = if state.behaviour.refused.contains(&key) {
        (Duration::ZERO, Outcome::Refuse)
    } else if let Some(&seconds) = state.behaviour.hurried.get(&key) {
        (Duration::ZERO, Outcome::Hurry(seconds))
    } else {
        in_line(state, &key)
    };
    state.requests.push(Recorded {
        key,
        status: 0,
        body,
    });
    Plan {
        index,
        wait: outcome.0,
        outcome: outcome.1,
    }
}

fn in_line(state: &mut State, key: &str) -> (Duration, Outcome) {
    let mut wait = state.behaviour.delay;
    if let Some(rate) = state.behaviour.rate {
        let now = Instant::now();
        let queue = state.busy_until.saturating_duration_since(now);
        if queue > rate.most_wait {
            return (Duration::ZERO, Outcome::Hurry(queue.as_secs() + 1));
        }
        state.busy_until = now + queue + rate.each;
        wait += queue + rate.each;
    }
    let now = jiff::Timestamp::now().as_second().unsigned_abs();
    match state.behaviour.take(key, now) {
        Ok(()) => (wait, Outcome::Mode(state.behaviour.mode)),
        Err(seconds) => (wait, Outcome::Spent(seconds)),
    }
}

/// As many tokens as a real one would count, more or less.
fn answer(body: &Value, index: usize) -> Value {
    let model = body["model"].as_str().unwrap_or_default();
    let content = format!("This is answer {} of {model}.", index + 1);
    let prompt = body["messages"].to_string().len() / 4;
    let completion = content.len() / 4;
    json!({
        "id": format!("chatcmpl-{index}"), "object": "chat.completion", "created": 0, "model": model,
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": content},
        }],
        "usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        },
    })
}

fn error(status: StatusCode, code: &str, message: &str, retry_after: Option<u64>) -> Response {
    let body = json!({"error": {"message": message, "type": code, "code": code, "param": null}});
    let mut response = (status, Json(body)).into_response();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn torn() -> Response {
    let first = Ok(Bytes::from_static(b"{\"choices\": ["));
    let then = Err(std::io::Error::other("torn"));
    Body::from_stream(stream::iter([first, then])).into_response()
}
