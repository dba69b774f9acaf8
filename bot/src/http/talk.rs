//! Messages: `POST /chat` for programs, `POST /say` for the page.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::body::Body;
use super::respond::{refuse, respond, retry_after};
use super::session::Session;
use super::{App, inbox};
use crate::message::{Author, Door, Message, Place, new_id};

/// How to address who has no name here.
const GUEST: &str = "dear guest";
const NEWCOMERS: &str =
    "So many new guests have come from where you are that I need a moment for each of them.";

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
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    Body(asked): Body<Asked>,
) -> Response {
    let Asked {
        message,
        user,
        session,
    } = asked;
    if let Some(Extension(ConnectInfo(peer))) = peer
        && let Err(too_often) = app.manners.admit_address(peer.ip())
    {
        let response = refuse(StatusCode::TOO_MANY_REQUESTS, "that was too often");
        return retry_after(response, too_often.wait.as_secs() + 1);
    }
    if !session.is_empty() && !inbox::is_session(&session) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, inbox::NO_SESSION);
    }
    let moderator = match app.web.desk.trusts(&headers) {
        Ok(moderator) => moderator,
        Err(refusal) => return *refusal,
    };
    let message = Message {
        own_way: false,
        id: new_id(),
        door: Door::Api,
        place: Place {
            channel: session.clone(),
            ..Place::default()
        },
        author: Author {
            id: session,
            name: user,
            moderator,
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
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    Body(Said { message, id }): Body<Said>,
) -> Response {
    let session = Session::of(&headers);
    let moderator = app.web.desk.knows(&headers);
    if let Some(Extension(ConnectInfo(peer))) = peer
        && !moderator
        && let Err(too_often) = app.manners.admit_visitor(peer.ip(), &session.id)
    {
        let seconds = too_often.wait.as_secs() + 1;
        let refusal = refuse(StatusCode::TOO_MANY_REQUESTS, NEWCOMERS);
        return session.keep(app.web.https, retry_after(refusal, seconds));
    }
    let message = of_page(&session, &id, moderator, message);
    let (outcome, reply) = app.chat.answer(&message).await;
    session.keep(app.web.https, respond(outcome, reply))
}

/// A message of a page; `id` tells it from others of its session.
pub(super) fn of_page(session: &Session, id: &str, moderator: bool, text: String) -> Message {
    let sound =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = if sound {
        session.message_id(id)
    } else {
        new_id()
    };
    let name = if moderator { "dear moderator" } else { GUEST };
    Message {
        own_way: false,
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
