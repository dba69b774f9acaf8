//! The moderators' desk: log in with the secret, see how the bot does, stop and start it.
//!
//! An order is a command like any other (`!stop`), said by a moderator: the same core obeys it.
//! A login is a cookie that holds its end and a signature made with the secret, so it outlives a
//! restart of the bot, is known to every replica, and ends for all when the secret is changed.

mod lock;
mod readings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::respond::{refuse, respond, retry_after};
use super::session::Session;
use super::status::Status;
use super::{App, cookie, talk};
use crate::config::WebConfig;
use crate::metrics;
pub(crate) use lock::DeskError;
use lock::{Lock, LoginError};
use readings::Reading;

const COOKIE: &str = "chatbotler_desk";
/// A shift.
const AGE: Duration = Duration::from_hours(8);

/// Who may come in.
pub(super) struct Desk {
    /// None where no secret is configured.
    lock: Option<Lock>,
    logins: Family<LoginLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoginLabels {
    result: &'static str,
}

impl Desk {
    pub(super) fn new(config: &WebConfig, registry: &mut Registry) -> Result<Self, DeskError> {
        let logins = Family::<LoginLabels, Counter>::default();
        registry.register(
            "bot_desk_logins",
            "Tries to log in at the moderators' desk, and wrong secrets that programs brought: ok, wrong, limited (too many of late)",
            logins.clone(),
        );
        for result in ["ok", "wrong", "limited"] {
            let _ = logins.get_or_create(&LoginLabels { result });
        }
        let lock = Lock::of(config)?;
        Ok(Self { lock, logins })
    }

    /// Whether the request comes from a moderator who has logged in.
    pub(super) fn knows(&self, headers: &HeaderMap) -> bool {
        let pass = cookie::get(headers, COOKIE);
        let now = Timestamp::now().as_second();
        matches!((&self.lock, pass), (Some(lock), Some(pass)) if lock.accepts(pass, now))
    }

    /// Whether a program brought the secret itself; a wrong one is told so, and not too many of them.
    pub(super) fn trusts(&self, headers: &HeaderMap) -> Result<bool, Box<Response>> {
        let brought = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let (Some(lock), Some(brought)) = (&self.lock, brought) else {
            return Ok(false);
        };
        match lock.check(brought, Instant::now()) {
            Ok(()) => Ok(true),
            Err(error) => Err(Box::new(self.turned_away(&error))),
        }
    }

    fn turned_away(&self, error: &LoginError) -> Response {
        match error {
            LoginError::Wrong => {
                self.count("wrong");
                tracing::warn!("a wrong secret at the moderators' desk");
                refuse(StatusCode::UNAUTHORIZED, "That is not the secret.")
            }
            LoginError::TooMany(wait) => {
                self.count("limited");
                let seconds = wait.as_secs() + 1;
                let text = format!("Too many tries. Please wait {seconds} s.");
                retry_after(refuse(StatusCode::TOO_MANY_REQUESTS, text), seconds)
            }
        }
    }

    fn count(&self, result: &'static str) {
        self.logins.get_or_create(&LoginLabels { result }).inc();
    }
}

/// What changes something.
pub(super) fn orders() -> Router<Arc<App>> {
    Router::new()
        .route("/desk/login", post(login))
        .route("/desk/logout", post(logout))
        .route("/desk/order", post(order))
}

/// What is only looked at.
pub(super) fn views() -> Router<Arc<App>> {
    Router::new().route("/desk/state", get(state))
}

#[derive(Serialize)]
struct DeskState {
    /// Whether a secret is configured at all.
    open: bool,
    /// Of a moderator who has logged in.
    #[serde(flatten)]
    inside: Option<Inside>,
}

#[derive(Serialize)]
struct Inside {
    /// When this process began: another one answers after a reboot.
    begun: String,
    status: Status,
    readings: Vec<Reading>,
}

async fn state(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let desk = &app.web.desk;
    let inside = if desk.knows(&headers) {
        let text = match metrics::render(&app.registry) {
            Ok(text) => text,
            Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        Some(Inside {
            begun: app.web.begun.to_string(),
            status: Status::of(&app),
            readings: readings::of(&text),
        })
    } else {
        None
    };
    let open = desk.lock.is_some();
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    (no_store, Json(DeskState { open, inside })).into_response()
}

#[derive(Deserialize)]
struct Login {
    secret: SecretString,
}

async fn login(State(app): State<Arc<App>>, body: Result<Body<Login>, Response>) -> Response {
    let Login { secret } = match body {
        Ok(Body(login)) => login,
        // not its text: it may quote the secret
        Err(rejection) => return refuse(rejection.status(), "send {\"secret\": …} as JSON"),
    };
    let desk = &app.web.desk;
    let Some(lock) = &desk.lock else {
        return refuse(StatusCode::NOT_FOUND, "no secret is configured");
    };
    match lock.open(&secret, AGE, Timestamp::now().as_second()) {
        Ok(pass) => {
            desk.count("ok");
            tracing::info!("a moderator has logged in");
            let mut response = StatusCode::NO_CONTENT.into_response();
            cookie::set(&mut response, COOKIE, &pass, AGE, app.web.https);
            response
        }
        Err(error) => desk.turned_away(&error),
    }
}

async fn logout(State(app): State<Arc<App>>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookie::set(&mut response, COOKIE, "", Duration::ZERO, app.web.https);
    response
}

/// What a moderator may order.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Stop,
    Start,
    Reboot,
}

#[derive(Deserialize)]
struct Ordered {
    order: Order,
}

async fn order(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Body<Ordered>, Response>,
) -> Response {
    if !app.web.desk.knows(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "log in first");
    }
    let command = match body {
        Ok(Body(Ordered { order })) => match order {
            Order::Stop => "!stop",
            Order::Start => "!start",
            Order::Reboot => "!reboot",
        },
        Err(rejection) => return rejection,
    };
    tracing::info!(command, "ordered at the moderators' desk");
    let session = Session::of(&headers);
    let message = talk::of_page(&session, "", true, command.to_owned());
    let (outcome, reply) = app.chat.answer(&message).await;
    respond(outcome, reply)
}
