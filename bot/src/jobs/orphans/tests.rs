//! Without a server: the offers are the test's.

use futures::FutureExt;
use futures::future::BoxFuture;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use super::*;
use crate::message::{Author, Place};
use crate::metrics::render;

/// Never says anything, and tells that it was asked.
#[derive(Default)]
struct Hangs(Notify);

impl Deliver for Hangs {
    fn deliver<'a>(&'a self, _: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>> {
        self.0.notify_one();
        futures::future::pending().boxed()
    }
}

struct Says(tokio::sync::mpsc::UnboundedSender<String>);

impl Deliver for Says {
    fn deliver<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Result<(), DeliverError>> {
        self.0.send(delivery.id.clone()).unwrap();
        futures::future::ready(Ok(())).boxed()
    }
}

fn offer(door: Door, id: &str) -> Message {
    let orphan = Orphan {
        message: crate::message::Message {
            own_way: false,
            id: id.to_owned(),
            door,
            place: Place::default(),
            author: Author {
                id: "ann".to_owned(),
                name: "Ann".to_owned(),
                moderator: false,
            },
            text: "Hello!".to_owned(),
        },
        text: "Good evening.".to_owned(),
    };
    let payload = serde_json::to_vec(&orphan).unwrap();
    Message {
        subject: SUBJECT.into(),
        reply: Some("receipt".into()),
        length: payload.len(),
        payload: payload.into(),
        headers: None,
        status: None,
        description: None,
    }
}

#[tokio::test]
async fn an_answer_that_hangs_delays_no_other() {
    let mut registry = Registry::default();
    let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let hangs = Arc::new(Hangs::default());
    let doors: Vec<(Door, Arc<dyn Deliver>)> = vec![
        (Door::Discord, Arc::clone(&hangs) as Arc<dyn Deliver>),
        (Door::Api, Arc::new(Says(said))),
    ];
    // nobody listens there: what is published waits
    let client = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let client = client.connect("nats://127.0.0.1:9").await.unwrap();
    let metrics = Arc::new(JobsMetrics::new(&mut registry));
    let orphans = Arc::new(Orphans::new(client, doors, metrics));
    let offers = [
        offer(Door::Discord, "slow"),
        offer(Door::Api, "one"),
        offer(Door::Api, "two"),
    ];
    let offers = futures::stream::iter(offers).chain(futures::stream::pending());
    let adopting = tokio::spawn(async move { orphans.take_all(offers).await });
    hangs.0.notified().await;
    let both = async { [hears.recv().await.unwrap(), hears.recv().await.unwrap()] };
    let both = tokio::time::timeout(Duration::from_secs(30), both).await;
    assert_eq!(both.unwrap(), ["one", "two"].map(Delivery::answer_to));
    let text = render(&registry).unwrap();
    assert!(text.contains("bot_jobs_adopted_total 2"), "{text}");
    adopting.abort();
}

#[tokio::test]
async fn what_has_a_way_of_its_own_is_said_by_nobody_else() {
    let (said, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let doors: Vec<(Door, Arc<dyn Deliver>)> = vec![(Door::Discord, Arc::new(Says(said)))];
    let client = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let client = client.connect("nats://127.0.0.1:9").await.unwrap();
    let metrics = Arc::new(JobsMetrics::new(&mut Registry::default()));
    let orphans = Orphans::new(client, doors, metrics);
    let mut orphan: Orphan =
        serde_json::from_slice(&offer(Door::Discord, "slash").payload).unwrap();
    orphan.message.own_way = true;
    assert!(matches!(
        orphans.deliver(orphan).await,
        Some(Adopted::Nobody)
    ));
    assert!(hears.try_recv().is_err());
}
