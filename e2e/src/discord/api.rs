//! HTTP: who may, how often, what goes wrong on purpose; then [`routes`].
//!
//! [`routes`]: super::routes

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::buckets::Standing;
use super::routes;
use super::state::{Call, Fault};
use super::{Shared, TOKEN};

const PREFIX: &str = "/api/v10/";
const MOST_BYTES: usize = 1 << 20;

/// What a call is answered with.
struct Answer {
    status: u16,
    body: Value,
    headers: HeaderMap,
}

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let app = Router::new().fallback(answer).with_state(shared);
    let _ = axum::serve(listener, app).await; // ends with the task
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str().to_owned();
    let path = parts
        .uri
        .path()
        .strip_prefix(PREFIX)
        .unwrap_or_default()
        .to_owned();
    let body = read(body).await;
    let fault = {
        let mut state = shared.state();
        state.under_way += 1;
        state.fault(&method, &path)
    };
    if let Some(Fault::Slow(wait)) = fault {
        tokio::time::sleep(wait).await;
    }
    let answer = judge(&shared, &method, &path, &parts.headers, &body, fault);
    if let Some(Fault::Hung(wait)) = fault {
        tokio::time::sleep(wait).await;
    }
    let mut state = shared.state();
    state.under_way = state.under_way.saturating_sub(1);
    state.calls.push(Call {
        at,
        method,
        path,
        status: answer.status,
        body,
    });
    drop(state);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if answer.body.is_null() {
        return (status, answer.headers).into_response();
    }
    (status, answer.headers, axum::Json(answer.body)).into_response()
}

async fn read(body: Body) -> Value {
    let bytes = to_bytes(body, MOST_BYTES).await.unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn judge(
    shared: &Shared,
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &Value,
    fault: Option<Fault>,
) -> Answer {
    let now = Instant::now();
    let interaction = path.starts_with("interactions/") || path.starts_with("webhooks/");
    let mut state = shared.state();
    if let Some(wrong) = manners(headers, interaction) {
        state.violation(format!("{method} {path}: {wrong}"));
        return plain(401, json!({"message": "401: Unauthorized", "code": 0}));
    }
    if !interaction && let Some(left) = state.buckets.global(now) {
        state.violation(format!("{method} {path} although everything is limited"));
        return too_many(left, "global", None);
    }
    match fault {
        Some(Fault::Global(wait)) => {
            state.buckets.close_all(now, wait);
            return too_many(wait, "global", None);
        }
        Some(Fault::Shared(wait)) => {
            let standing = state.buckets.exhaust(now, method, path, wait);
            return too_many(wait, "shared", Some(&standing));
        }
        Some(Fault::Status(status)) => {
            return plain(status, json!({"message": "made to fail", "code": 0}));
        }
        Some(Fault::Lost | Fault::Slow(_) | Fault::Hung(_)) | None => {}
    }
    // Discord does not tell of buckets there
    let standing = (!interaction).then(|| state.buckets.take(now, method, path));
    if let Some(standing) = &standing
        && standing.over
    {
        state.violation(format!("{method} {path} before its bucket was reset"));
        return too_many(standing.reset_after, "user", Some(standing));
    }
    let (status, body) = routes::route(&mut state, shared.gateway, method, path, body);
    if matches!(fault, Some(Fault::Lost)) {
        return plain(502, json!({"message": "lost on the way", "code": 0}));
    }
    let headers = standing.as_ref().map(told).unwrap_or_default();
    Answer {
        status,
        body,
        headers,
    }
}

/// What is wrong with whoever calls.
fn manners(headers: &HeaderMap, interaction: bool) -> Option<&'static str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let agent = text(header::USER_AGENT).unwrap_or_default();
    if !agent.starts_with("DiscordBot (") {
        return Some("its User-Agent is not that of a bot");
    }
    let bot = format!("Bot {TOKEN}");
    match text(header::AUTHORIZATION) {
        Some(token) if token == bot => None,
        None if interaction => None,
        None => Some("no Authorization"),
        Some(_) => Some("a wrong token"),
    }
}

fn plain(status: u16, body: Value) -> Answer {
    Answer {
        status,
        body,
        headers: HeaderMap::new(),
    }
}

fn too_many(wait: Duration, scope: &'static str, standing: Option<&Standing>) -> Answer {
    let mut headers = standing.map(told).unwrap_or_default();
    set(&mut headers, "x-ratelimit-scope", scope);
    if scope == "global" {
        set(&mut headers, "x-ratelimit-global", "true");
    }
    set(
        &mut headers,
        "retry-after",
        &wait.as_secs_f64().ceil().to_string(),
    );
    let global = scope == "global";
    Answer {
        status: 429,
        body: json!({"message": "You are being rate limited.", "retry_after": wait.as_secs_f64(), "global": global}),
        headers,
    }
}

fn told(standing: &Standing) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let reset =
        jiff::Timestamp::now().as_duration().as_secs_f64() + standing.reset_after.as_secs_f64();
    set(&mut headers, "x-ratelimit-bucket", &standing.bucket);
    set(
        &mut headers,
        "x-ratelimit-limit",
        &standing.limit.to_string(),
    );
    set(
        &mut headers,
        "x-ratelimit-remaining",
        &standing.remaining.to_string(),
    );
    set(&mut headers, "x-ratelimit-reset", &format!("{reset:.3}"));
    // rounded up, so that nobody comes a moment too early
    let after = (standing.reset_after.as_secs_f64() * 1000.0).ceil() / 1000.0;
    set(
        &mut headers,
        "x-ratelimit-reset-after",
        &format!("{after:.3}"),
    );
    headers
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        headers.insert(name, value);
    }
}
