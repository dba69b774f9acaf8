//! `GET /inbox?session=…`: what was said unasked to a session, such as a reminder.
//!
//! A program that asks cannot be called, so it comes and asks; the bot's own page has a stream instead,
//! and inboxes of its own. Whoever knows the name of a program's session may read it: names are as long
//! as a secret must be. What was given once is given again for a day; its id tells it apart.

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
use crate::manners::answer::{MOST_UNITS, fit};
use crate::message::Door;
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

/// Under which the store keeps what is said to a session. By door: what the bot calls a page's session is
/// no secret, so nobody may come through the programs' door with it.
pub(super) fn name(door: Door, session: &str) -> String {
    format!("{}/{session}", door.name())
}

#[derive(Deserialize)]
pub(super) struct Asked {
    session: String,
}

pub(super) async fn inbox(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Response {
    if !is_session(&asked.session) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, NO_SESSION);
    }
    match app.store.inbox(&name(Door::Api, &asked.session)).await {
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
                text: fit(&delivery.text, MOST_UNITS),
                at: now_ms(),
            };
            let inbox = name(delivery.door, &delivery.to);
            let put = self.store.put_in_inbox(&inbox, &item).await;
            self.hub.wake(&delivery.to);
            put.map_err(|error| DeliverError::Later {
                reason: error.to_string(),
                after: None,
            })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::message::Place;

    const SESSION: &str = "0123456789abcdef0123456789abcdef";

    /// The store after these were said to a session of the page.
    async fn said(all: &[(&str, &str)]) -> Store {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let hub = Arc::new(Hub::new(1, &mut Registry::default()));
        let inbox = Inbox::new(store.clone(), hub);
        for &(id, text) in all {
            let delivery = Delivery {
                id: id.to_owned(),
                door: Door::Page,
                place: Place::default(),
                to: SESSION.to_owned(),
                text: text.to_owned(),
            };
            inbox.deliver(&delivery).await.unwrap();
        }
        store
    }

    #[tokio::test]
    async fn what_is_said_to_a_page_is_not_for_the_programs_door() {
        let store = said(&[("1", "tea")]).await;
        let said = async |door| store.inbox(&name(door, SESSION)).await.unwrap().len();
        assert_eq!((said(Door::Page).await, said(Door::Api).await), (1, 0));
    }

    #[tokio::test]
    async fn what_is_said_unasked_calls_nobody_and_invites_nowhere_either() {
        let store = said(&[("1", "tea for @everyone at https://discord.gg/abc")]).await;
        let items = store.inbox(&name(Door::Page, SESSION)).await.unwrap();
        assert_eq!(items[0].text, "tea for everyone at (no invitations)");
    }

    #[tokio::test]
    async fn an_answer_and_the_reminder_that_it_confirms_are_both_said_and_each_once() {
        let answer = Delivery::answer_to("1");
        let all = [(answer.as_str(), "Gladly."), ("1", "tea")];
        let store = said(&[all[0], all[0], all[1], all[1]]).await;
        let items = store.inbox(&name(Door::Page, SESSION)).await.unwrap();
        let mut texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["Gladly.", "tea"]);
    }
}
