//! `GET /events`: one stream per page that says what changes, and what the bot has to say unasked.
//!
//! # Guarantees
//!
//! - There are never more streams than configured, nor more than a few per session; a page that finds
//!   no place asks `/status` from time to time instead.
//! - A stream ends after a while, and the page comes again: who has gone without a word, or does not
//!   read, keeps no place for ever.
//! - What is said unasked waits in the session's inbox until a page confirms that it was shown
//!   (`POST /heard`); a connection that is dead, or on another replica, does not lose it.

mod hub;

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{Stream, unfold};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior};

use super::body::Body;
use super::session::Session;
use super::status::Status;
use super::{App, inbox, refuse};
use crate::message::Door;
use crate::store::{Item, StoreError};
pub(super) use hub::Hub;
use hub::Listener;

/// How long a browser waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);
/// A comment, so that a proxy in between does not take the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What no signal tells of, such as a stop, is seen within this.
const LOOK: Duration = Duration::from_secs(1);
/// Every so many looks, the inbox: what another replica has put there.
const INBOX_EVERY: u32 = 10;

pub(super) async fn events(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let session = Session::of(&headers);
    let Some(listener) = Hub::listen(&app.web.hub, &session.id) else {
        let retry = [(header::RETRY_AFTER, "30")];
        let refusal = refuse(StatusCode::SERVICE_UNAVAILABLE, "enough pages listen");
        return (retry, refusal).into_response();
    };
    let https = app.web.https;
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let stream = Sse::new(stream(app, listener)).keep_alive(keep_alive);
    // no proxy may save it up to send it in larger pieces
    let headers = [
        (header::CACHE_CONTROL.as_str(), "no-store"),
        ("x-accel-buffering", "no"),
    ];
    session.keep(https, (headers, stream).into_response())
}

/// What a page follows.
struct Following {
    app: Arc<App>,
    listener: Listener,
    changes: tokio::sync::watch::Receiver<()>,
    until: Instant,
    looks: tokio::time::Interval,
    looked: u32,
    last: Option<Status>,
    /// Whether there may be something new in the inbox.
    inbox: bool,
    /// What of it was sent on this stream already.
    sent: HashSet<String>,
    queue: VecDeque<Item>,
}

/// Ends when it has lasted long enough, and when the bot stops: whoever follows then would keep it from
/// ending.
fn stream(app: Arc<App>, listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let following = Following {
        changes: app.flags.changes(),
        until: Instant::now() + app.web.stream_age,
        app,
        listener,
        looks,
        looked: 0,
        last: None,
        inbox: true,
        sent: HashSet::new(),
        queue: VecDeque::new(),
    };
    unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok(event), following))
    })
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if Instant::now() >= self.until {
                return None;
            }
            let status = Status::of(&self.app);
            if self.last.as_ref() != Some(&status) {
                let event = event("status", &status).retry(RECONNECT);
                self.last = Some(status);
                return Some(event);
            }
            if std::mem::take(&mut self.inbox) {
                self.fetch().await;
            }
            if let Some(item) = self.queue.pop_front() {
                return Some(event("said", &item));
            }
            tokio::select! {
                biased;
                () = self.app.draining.cancelled() => return None,
                () = self.listener.woken() => self.inbox = true,
                // the sender lives as long as `app`
                _ = self.changes.changed() => {}
                _ = self.looks.tick() => {
                    self.looked = self.looked.wrapping_add(1);
                    self.inbox = self.looked.is_multiple_of(INBOX_EVERY);
                }
            }
        }
    }

    /// An error is counted by the store, and the next look is not far.
    async fn fetch(&mut self) {
        let inbox = inbox_of(&self.app, &self.listener.session).await;
        let items = inbox.unwrap_or_default();
        self.sent
            .retain(|id| items.iter().any(|item| item.id == *id));
        for item in items {
            if self.sent.insert(item.id.clone()) {
                self.queue.push_back(item);
            }
        }
    }
}

async fn inbox_of(app: &App, session: &str) -> Result<Vec<Item>, StoreError> {
    app.store.inbox(&inbox::name(Door::Page, session)).await
}

/// For a page that found no place: what a stream would have said to it unasked.
pub(super) async fn said(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match inbox_of(&app, &Session::of(&headers).id).await {
        Ok(items) => ([(header::CACHE_CONTROL, "no-store")], Json(items)).into_response(),
        Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
    }
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    // an enum-and-text structure has no key that is no string, nor any other reason to fail
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(data)
}

#[derive(Deserialize)]
pub(super) struct Heard {
    id: String,
}

/// A page has shown what was said to its session.
pub(super) async fn heard(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(Heard { id }): Body<Heard>,
) -> Response {
    let inbox = inbox::name(Door::Page, &Session::of(&headers).id);
    match app.store.take_from_inbox(&inbox, &id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer"),
    }
}
