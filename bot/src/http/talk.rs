//! Messages: `POST /chat` for programs, `POST /say` for the page.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::session::Session;
use super::{App, inbox, refuse};
use crate::chat::Reply;
use crate::message::{Author, Door, Message, Place, new_id};
use crate::metrics::Outcome;

const MOST_CHARACTERS: usize = 2000;
/// How to address who has no name here.
const GUEST: &str = "dear guest";

/// Seconds after which it is worth asking again.
const RETRY_AFTER: &str = "2";

#[derive(Deserialize)]
pub(super) struct Asked {
    message: String,
    #[serde(default)]
    user: String,
    /// Where to leave what is said unasked, see `inbox`; without it there is nobody to remind.
    #[serde(default)]
    session: String,
}

#[derive(Deserialize)]
pub(super) struct Said {
    message: String,
    /// Drawn by the page, and the same when it sends the message again.
    #[serde(default)]
    id: String,
}

/// For programs, which name their own session or have none, so that nothing is remembered of who asked.
pub(super) async fn chat(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Asked>, JsonRejection>,
) -> Response {
    let Asked {
        message,
        user,
        session,
    } = match body {
        Ok(Json(asked)) => asked,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text()),
    };
    if let Err(refusal) = check(&message) {
        return refusal;
    }
    if !session.is_empty() && !inbox::is_session(&session) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, inbox::NO_SESSION);
    }
    let name: String = match user.trim() {
        "" => GUEST.to_owned(),
        user => user.chars().filter(|c| !c.is_control()).take(40).collect(),
    };
    let message = Message {
        id: new_id(),
        door: Door::Api,
        place: Place {
            channel: session.clone(),
            ..Place::default()
        },
        author: Author {
            id: session,
            name,
            moderator: app.web.desk.trusts(&headers),
        },
        text: message,
    };
    let (outcome, reply) = app.chat.answer(&message).await;
    respond(outcome, reply)
}

/// For the page: the session is who speaks and where.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Said>, JsonRejection>,
) -> Response {
    let Said { message, id } = match body {
        Ok(Json(said)) => said,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text()),
    };
    if let Err(refusal) = check(&message) {
        return refusal;
    }
    let session = Session::of(&headers);
    let moderator = app.web.desk.knows(&headers);
    let message = of_page(&session, &id, moderator, message);
    let (outcome, reply) = app.chat.answer(&message).await;
    session.keep(app.web.https, respond(outcome, reply))
}

/// A message of a page; `id` tells it from others of its session.
pub(super) fn of_page(session: &Session, id: &str, moderator: bool, text: String) -> Message {
    let sound =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = if sound {
        format!("{}-{id}", session.id)
    } else {
        new_id()
    };
    let name = if moderator { "dear moderator" } else { GUEST };
    Message {
        id,
        door: Door::Page,
        place: Place {
            channel: session.id.clone(),
            ..Place::default()
        },
        author: Author {
            id: session.id.clone(),
            name: name.to_owned(),
            moderator,
        },
        text,
    }
}

#[allow(clippy::result_large_err)] // a response, made once per request
fn check(message: &str) -> Result<(), Response> {
    if message.trim().is_empty() {
        return Err(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the message is empty",
        ));
    }
    if message.chars().count() > MOST_CHARACTERS {
        let error = format!("a message has at most {MOST_CHARACTERS} characters");
        return Err(refuse(StatusCode::UNPROCESSABLE_ENTITY, error));
    }
    Ok(())
}

/// The status that goes with an outcome; the reply can be shown whatever it is.
pub(super) fn respond(outcome: Outcome, reply: Reply) -> Response {
    let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
    match outcome {
        // a feature that is off has answered as it should
        Outcome::Ok | Outcome::Off | Outcome::Stopped => Json(reply).into_response(),
        Outcome::Denied => (StatusCode::FORBIDDEN, Json(reply)).into_response(),
        Outcome::Limited => (StatusCode::TOO_MANY_REQUESTS, retry, Json(reply)).into_response(),
        Outcome::Shed => (StatusCode::SERVICE_UNAVAILABLE, retry, Json(reply)).into_response(),
        Outcome::Error => (StatusCode::GATEWAY_TIMEOUT, Json(reply)).into_response(),
    }
}
