//! One suite for both databases, always with two processes' worth of stores on the same one.

mod ai;
mod busy;
mod cancelled;
mod discord;
mod opening;
mod postgres;

use std::collections::BTreeSet;

use futures::future::{BoxFuture, join_all};

use super::*;
use crate::message::{Door, Place};
use postgres::{Postgres, opened};

/// What each database must do, by name.
type Scenario = fn(Store, Store) -> BoxFuture<'static, ()>;

const SCENARIOS: [(&str, Scenario); 14] = [
    ("settings", |a, b| Box::pin(settings(a, b))),
    ("stops", |a, b| Box::pin(stops(a, b))),
    ("claims", |a, b| Box::pin(claims(a, b))),
    ("claims_run_out", |a, b| Box::pin(claims_run_out(a, b))),
    ("bounds", |a, b| Box::pin(bounds(a, b))),
    ("inbox", |a, b| Box::pin(inbox(a, b))),
    ("activity", |a, b| Box::pin(activity(a, b))),
    ("sessions", |a, b| Box::pin(discord::sessions(a, b))),
    ("discord_claims", |a, b| Box::pin(discord::claims(a, b))),
    ("threads", |a, b| Box::pin(discord::threads(a, b))),
    ("usage", |a, b| Box::pin(ai::usage(a, b))),
    ("history", |a, b| Box::pin(ai::history(a, b))),
    ("answers", |a, b| Box::pin(ai::answers(a, b))),
    ("going_away", |a, _| Box::pin(cancelled::going_away(a))),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_on_sqlite() {
    for (_, scenario) in SCENARIOS {
        // what they ask at once is not to wait for a busy disk
        let memory = tempfile::tempdir_in("/dev/shm");
        let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
        let url = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
        // at once: of two processes one migrates and the other waits
        let (one, two) = tokio::join!(Store::of(&url), Store::of(&url));
        scenario(one.unwrap(), two.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_on_postgres() {
    let server = Postgres::start();
    for (name, scenario) in SCENARIOS {
        let url = server.database(name).await;
        let (one, two) = tokio::join!(opened(&url), opened(&url));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(one.is_up() && two.is_up(), "{name}");
        scenario(one, two).await;
    }
}

async fn settings(one: Store, two: Store) {
    one.set_setting("g", "roles", "guest").await.unwrap();
    two.set_setting("g", "roles", "guest,helper").await.unwrap();
    two.set_setting("", "roles", "none").await.unwrap();
    let roles = one.setting("g", "roles").await.unwrap();
    assert_eq!(roles.as_deref(), Some("guest,helper"));
    one.unset_setting("g", "roles").await.unwrap();
    assert_eq!(two.setting("g", "roles").await.unwrap(), None);
    assert_eq!(
        two.setting("", "roles").await.unwrap().as_deref(),
        Some("none")
    );
    // the key is drawn once, so both know a person by the same hash
    let (a, b) = tokio::join!(one.person("4711"), two.person("4711"));
    let (a, other) = (a.unwrap(), one.person("4712").await.unwrap());
    assert_eq!(a, b.unwrap());
    assert!(a != other && a.len() == 24 && !a.contains("4711"));
}

async fn stops(one: Store, two: Store) {
    let stop = |reason: &str| Stop {
        person: "hash".to_owned(),
        at: 1,
        reason: reason.to_owned(),
    };
    one.set_stop("g", Some(&stop("first"))).await.unwrap();
    two.set_stop("g", Some(&stop("second"))).await.unwrap();
    assert_eq!(two.stops().await.unwrap()["g"], stop("first"));
    one.set_stop("g", None).await.unwrap();
    assert!(two.stops().await.unwrap().is_empty());
}

fn new<'a>(id: &'a str, place: &'a Place, due: i64) -> NewReminder<'a> {
    NewReminder {
        id,
        door: Door::Api,
        place,
        person: "ann",
        text: "tea",
        due,
    }
}

/// Whoever of two asks, each reminder is claimed by one.
async fn claims(one: Store, two: Store) {
    let place = Place {
        guild: Some("g".to_owned()),
        channel: "c".to_owned(),
        thread: None,
    };
    for n in 0..60 {
        let id = format!("r{n:02}");
        let store = if n % 2 == 0 { &one } else { &two };
        let added = store
            .add_reminder(&new(&id, &place, 10), 100)
            .await
            .unwrap();
        assert_eq!(added, Added::Kept);
    }
    assert!(
        one.claim_reminders(Door::Api, 9, 99, 7)
            .await
            .unwrap()
            .is_empty(),
        "not due"
    );
    assert!(
        one.claim_reminders(Door::Page, 10, 99, 7)
            .await
            .unwrap()
            .is_empty()
    );
    let claim =
        |store: Store| async move { store.claim_reminders(Door::Api, 10, 99, 7).await.unwrap() };
    let mut claimed = Vec::new();
    for _ in 0..12 {
        let four = [&one, &two, &one, &two].map(|store| claim(store.clone()));
        for due in join_all(four).await.into_iter().flatten() {
            assert_eq!((due.tries, due.delivery.text.as_str()), (1, "tea"));
            assert_eq!(due.delivery.place, place);
            claimed.push(due.delivery.id);
        }
    }
    let different: BTreeSet<_> = claimed.iter().collect();
    assert_eq!((claimed.len(), different.len()), (60, 60));
}

/// What was claimed and not ended comes back; what has ended does not; a stop holds all of it back.
async fn claims_run_out(one: Store, two: Store) {
    let place = Place::default();
    for id in ["lost", "done", "later"] {
        one.add_reminder(&new(id, &place, 10), 9).await.unwrap();
    }
    let ids = |due: Vec<Due>| {
        let mut ids: Vec<_> = due.into_iter().map(|due| due.delivery.id).collect();
        ids.sort();
        ids
    };
    let stop = Stop {
        person: String::new(),
        at: 1,
        reason: String::new(),
    };
    two.set_stop("", Some(&stop)).await.unwrap();
    assert!(
        one.claim_reminders(Door::Api, 10, 20, 9)
            .await
            .unwrap()
            .is_empty(),
        "stopped"
    );
    two.set_stop("", None).await.unwrap();
    let due = one.claim_reminders(Door::Api, 10, 20, 9).await.unwrap();
    let later = due.iter().find(|due| due.delivery.id == "later").unwrap();
    one.end_reminder("done", 11).await.unwrap();
    one.retry_reminder(later, 50).await.unwrap();
    assert_eq!(ids(due).len(), 3);
    assert!(
        two.claim_reminders(Door::Api, 19, 30, 9)
            .await
            .unwrap()
            .is_empty()
    );
    let again = two.claim_reminders(Door::Api, 20, 60, 9).await.unwrap();
    assert_eq!(again[0].tries, 2);
    assert_eq!(ids(again), ["lost"]);
    let last = one.claim_reminders(Door::Api, 60, 70, 9).await.unwrap();
    assert_eq!(ids(last), ["later", "lost"]);
    assert_eq!(two.reminders_to_do().await.unwrap(), 2);
    // a message that comes twice sets nothing anew, until it is forgotten
    assert_eq!(
        one.add_reminder(&new("done", &place, 10), 9).await.unwrap(),
        Added::Kept
    );
    assert_eq!(two.reminders_to_do().await.unwrap(), 2);
    one.prune_reminders(12).await.unwrap();
    one.add_reminder(&new("done", &place, 10), 9).await.unwrap();
    assert_eq!(two.reminders_to_do().await.unwrap(), 3);
}

async fn bounds(one: Store, two: Store) {
    let place = Place::default();
    for id in ["a", "b"] {
        assert_eq!(
            one.add_reminder(&new(id, &place, 10), 2).await.unwrap(),
            Added::Kept
        );
    }
    assert_eq!(
        two.add_reminder(&new("c", &place, 10), 2).await.unwrap(),
        Added::TooMany
    );
    assert_eq!(
        two.add_reminder(&new("b", &place, 10), 2).await.unwrap(),
        Added::Kept,
        "known"
    );
    let listed = two.reminders_of(Door::Api, "ann").await.unwrap();
    assert_eq!(listed, [(10, "tea".to_owned()), (10, "tea".to_owned())]);
    assert_eq!(two.clear_reminders(Door::Page, "ann", 5).await.unwrap(), 0);
    assert_eq!(two.clear_reminders(Door::Api, "ann", 5).await.unwrap(), 2);
    assert!(
        one.claim_reminders(Door::Api, 10, 20, 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        two.add_reminder(&new("c", &place, 10), 2).await.unwrap(),
        Added::Kept
    );
}

async fn inbox(one: Store, two: Store) {
    let item = |id: &str, at| Item {
        id: id.to_owned(),
        text: format!("text of {id}"),
        at,
    };
    for (store, id, at) in [(&one, "b", 2), (&two, "a", 1), (&two, "b", 3)] {
        store.put_in_inbox("s", &item(id, at)).await.unwrap();
    }
    one.put_in_inbox("t", &item("c", 1)).await.unwrap();
    assert_eq!(two.inbox("s").await.unwrap(), [item("a", 1), item("b", 2)]);
    two.prune_inbox(2).await.unwrap();
    assert_eq!(one.inbox("s").await.unwrap(), [item("b", 2)]);
}

/// Two replicas that write the same people at once neither lose anything nor wait for each other in a circle.
async fn activity(one: Store, two: Store) {
    let batch: Vec<Heard> = (0..40)
        .map(|n| Heard {
            guild: format!("g{}", n / 20),
            person: format!("p{:02}", n % 20),
            last: 3_600_000 + n,
            messages: 2,
        })
        .collect();
    let write = |store: Store| {
        let batch = batch.clone();
        async move { store.add_activity(&batch).await.unwrap() }
    };
    join_all([&one, &two, &one, &two, &one, &two].map(|store| write(store.clone()))).await;
    assert_eq!(one.messages("g0", 0).await.unwrap(), 6 * 40);
    assert_eq!(one.messages("g0", 3_600_001).await.unwrap(), 0);
    assert_eq!(one.messages("nowhere", 0).await.unwrap(), 0);
    assert_eq!(two.active(None, 0).await.unwrap(), 20);
    assert_eq!(two.active(Some("g1"), 3_600_029).await.unwrap(), 10);
    one.prune_activity(3_600_020).await.unwrap();
    assert_eq!(
        (
            two.active(Some("g0"), 0).await.unwrap(),
            two.messages("g0", 0).await.unwrap()
        ),
        (0, 0)
    );
}
