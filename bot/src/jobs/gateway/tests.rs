//! Without any server: what is said by workers is played by the test.

use prometheus_client::registry::Registry;

use super::*;
use crate::config::Role;
use crate::jobs::Limits;
use crate::message::{Author, Door, Place};
use crate::metrics::render;

async fn gateway(registry: &mut Registry) -> Gateway {
    let metrics = Arc::new(JobsMetrics::new(registry));
    let limits = Limits {
        places: 2,
        replicas: 1,
        ack_wait: Duration::from_secs(5),
    };
    // nobody listens there
    let url = "nats://user:secret@127.0.0.1:9".to_owned().into();
    let queue = Queue::connect(&url, Role::Gateway, limits, Arc::clone(&metrics));
    let queue = Arc::new(queue.await.unwrap());
    let store = Store::of("sqlite::memory:").await.unwrap();
    Gateway::new(queue, metrics, store, "g", Duration::from_secs(1))
}

fn message() -> Message {
    Message {
        own_way: false,
        id: "m".to_owned(),
        door: Door::Api,
        place: Place::default(),
        author: Author {
            id: String::new(),
            name: "Guest".to_owned(),
            moderator: false,
        },
        text: "Hello!".to_owned(),
    }
}

fn done(text: &str) -> Note {
    Note::Done {
        id: "m".to_owned(),
        verdict: Verdict {
            text: Some(text.to_owned()),
            ..Verdict::plain(Outcome::Ok)
        },
    }
}

#[tokio::test]
async fn without_a_queue_it_declines_kindly_and_at_once() {
    let mut registry = Registry::default();
    let gateway = gateway(&mut registry).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let message = message();
    let verdict = gateway.perform(&message, Feature::AiChat, deadline, std::future::pending());
    let verdict = tokio::time::timeout(Duration::from_secs(5), verdict).await;
    let verdict = verdict.unwrap();
    assert_eq!(
        (verdict.outcome, verdict.text.as_deref()),
        (Outcome::Shed, Some(AWAY))
    );
    assert!(gateway.waiting().is_empty(), "nobody waits any more");
    let text = render(&registry).unwrap();
    let down = "bot_jobs_published_total{tier=\"Important\",outcome=\"down\"} 1";
    assert!(text.contains(down), "{text}");
}

#[tokio::test]
async fn an_animation_that_was_asked_for_before_is_not_waited_for() {
    let gateway = gateway(&mut Registry::default()).await;
    let deadline = Instant::now() + Duration::from_mins(1);
    let job = gateway.job(&message(), Feature::Animations, deadline);
    let repeated = tokio::time::timeout(Duration::from_secs(20), gateway.repeated(&job));
    assert_eq!(repeated.await.unwrap().outcome, Outcome::Shed);
}

#[tokio::test]
async fn who_asks_twice_hears_the_same_and_the_last_to_leave_is_forgotten() {
    let mut registry = Registry::default();
    let gateway = gateway(&mut registry).await;
    let (mut first, mut second) = (gateway.sit("m".to_owned()), gateway.sit("m".to_owned()));
    gateway.hear(Note::Taken { id: "m".to_owned() });
    gateway.hear(done("Good evening."));
    for seat in [&mut first, &mut second] {
        assert_eq!(seat.done().await.text.as_deref(), Some("Good evening."));
    }
    drop(first);
    assert_eq!(gateway.waiting().len(), 1);
    drop(second);
    assert!(gateway.waiting().is_empty());
}

#[tokio::test]
async fn what_comes_late_or_again_is_counted_and_changes_nothing() {
    let mut registry = Registry::default();
    let gateway = gateway(&mut registry).await;
    gateway.hear(done("for nobody"));
    let mut seat = gateway.sit("m".to_owned());
    gateway.hear(done("first"));
    gateway.hear(done("second"));
    gateway.hear(Note::Taken { id: "m".to_owned() });
    assert_eq!(seat.done().await.text.as_deref(), Some("first"));
    let text = render(&registry).unwrap();
    assert!(text.contains("bot_jobs_late_replies_total 2"), "{text}");
}

#[tokio::test]
async fn every_series_is_there_from_the_start() {
    let mut registry = Registry::default();
    let _metrics = JobsMetrics::new(&mut registry);
    let text = render(&registry).unwrap();
    for series in [
        "bot_jobs_published_total{tier=\"Luxury\",outcome=\"full\"} 0",
        "bot_jobs_taken_total{tier=\"Critical\"} 0",
        "bot_jobs_done_total{tier=\"Important\",outcome=\"dead\"} 0",
        "bot_jobs_redelivered_total{tier=\"Important\"} 0",
        "bot_jobs_repeated_total{tier=\"Important\"} 0",
        "bot_jobs_unheard_total{tier=\"Important\"} 0",
        "bot_jobs_waiting{tier=\"Luxury\"} 0",
        "bot_jobs_oldest_seconds{tier=\"Luxury\"} 0",
        "bot_nats_connected 0",
    ] {
        assert!(text.contains(series), "{series} is missing in {text}");
    }
}
