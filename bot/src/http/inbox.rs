//! `GET /inbox?session=…`: what was said unasked to a session, such as a reminder.
//!
//! A program that asks cannot be called, so it comes and asks; the bot's own page has a stream instead. Whoever knows the name of a session may read it: names are
//! as long as a secret must be. What was given once is given again for a day; its id tells it apart.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::events::Hub;
use super::{App, refuse};
use crate::deliver::{Deliver, DeliverError, Delivery};
use crate::store::{Item, Store, now_ms};

/// Fewer characters could be guessed.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;
pub(super) const NO_SESSION: &str =
    "a session is 16 to 128 letters, digits, - and _, which nobody can guess";

/// Whether it can be the name of a session: one cannot be guessed, and nobody chose it for its beauty.
pub(super) fn is_session(name: &str) -> bool {
    LENGTHS.contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[derive(Deserialize)]
pub(super) struct Asked {
    session: String,
}

pub(super) async fn inbox(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Response {
    if !is_session(&asked.session) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, NO_SESSION);
    }
    match app.store.inbox(&asked.session).await {
        Ok(items) => Json(items).into_response(),
        Err(_) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer; try again",
        ),
    }
}

/// The doors that people come to: what is said there unasked waits in the store. A page that is open
/// here is told at once.
pub(crate) struct Inbox {
    store: Store,
    hub: Arc<Hub>,
}

impl Inbox {
    pub(crate) fn new(store: Store, hub: Arc<Hub>) -> Self {
        Self { store, hub }
    }
}

impl Deliver for Inbox {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>> {
        async move {
            let item = Item {
                id: delivery.id.clone(),
                text: delivery.text.clone(),
                at: now_ms(),
            };
            let put = self.store.put_in_inbox(&delivery.to, &item).await;
            self.hub.wake(&delivery.to);
            put.map_err(|error| DeliverError::Later {
                reason: error.to_string(),
                after: None,
            })
        }
        .boxed()
    }
}
