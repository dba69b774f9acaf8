//! A real server on loopback, and a clock that a test can move.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::Response;
use axum::routing::post;
use prometheus_http_query::reqwest::Url;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::super::super::clock::SystemClock;
use super::super::super::query::Query;
use super::super::super::signals::Count;
use super::super::*;

/// What the server answers to each query, and what it was asked: query, time, moment.
#[derive(Default)]
pub(super) struct Server {
    answers: Mutex<HashMap<String, (String, Duration)>>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Server {
    pub(super) fn says(&self, query: &str, value: &str) {
        self.says_after(query, value, Duration::ZERO);
    }

    pub(super) fn says_after(&self, query: &str, value: &str, pause: Duration) {
        let mut answers = self.answers.lock().expect("unpoisoned");
        answers.insert(query.to_owned(), (value.to_owned(), pause));
    }

    pub(super) fn asked(&self, query: &str) -> Vec<String> {
        let asked = self.asked.lock().expect("unpoisoned");
        asked
            .iter()
            .filter(|(q, _)| q == query)
            .map(|(_, time)| time.clone())
            .collect()
    }
}

async fn respond(State(server): State<Arc<Server>>, body: String) -> Response<String> {
    let url = Url::parse(&format!("http://form/?{body}")).expect("a form");
    let form: HashMap<_, _> = url.query_pairs().into_owned().collect();
    let (query, time) = (
        form["query"].clone(),
        form.get("time").or(form.get("start")).cloned(),
    );
    let known = server
        .answers
        .lock()
        .expect("unpoisoned")
        .get(&query)
        .cloned();
    let time = time.unwrap_or_default();
    server
        .asked
        .lock()
        .expect("unpoisoned")
        .push((query, time.clone()));
    let (value, pause) = known.unwrap_or_default();
    sleep(pause).await;
    let (kind, sample) = if form.contains_key("start") {
        ("matrix", format!("\"values\":[[{time},\"{value}\"]]"))
    } else {
        ("vector", format!("\"value\":[{time},\"{value}\"]"))
    };
    let series = if value.is_empty() {
        String::new()
    } else {
        format!("{{\"metric\":{{}},{sample}}}")
    };
    let body = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[{series}]}}}}"
    );
    Response::builder()
        .header("content-type", "application/json")
        .body(body)
        .expect("a response")
}

/// The machine's clock, moved.
#[derive(Clone, Default)]
pub(super) struct Moved(pub(super) Arc<AtomicI64>);

impl Clock for Moved {
    fn now(&self) -> Time {
        SystemClock.now() + Span::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct Bench {
    pub(super) server: Arc<Server>,
    pub(super) clock: Moved,
    pub(super) handle: PollerHandle,
    pub(super) events: mpsc::Receiver<PollerEvent>,
}

pub(super) async fn bench(change: impl FnOnce(&mut Source)) -> Bench {
    crate::tls::install();
    let server = Arc::new(Server::default());
    let app = Router::new()
        .route("/api/v1/query", post(respond))
        .route("/api/v1/query_range", post(respond))
        .with_state(Arc::clone(&server));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut source = Source::new("default", url);
    change(&mut source);
    let (out, events) = mpsc::channel(1024);
    let clock = Moved::default();
    let handle = Poller::spawn(
        source,
        Access::default(),
        out,
        PollerMetrics::default(),
        clock.clone(),
    );
    Bench {
        server,
        clock,
        handle: handle.expect("a good source"),
        events,
    }
}

impl Bench {
    async fn event(&mut self) -> PollerEvent {
        let event = timeout(Duration::from_secs(5), self.events.recv()).await;
        event.expect("an event in time").expect("a poller")
    }

    pub(super) async fn observation(&mut self) -> Observation {
        loop {
            if let PollerEvent::Observation(observation) = self.event().await {
                return observation;
            }
        }
    }

    /// The observations of the first tick that has this many: subscribing takes a moment, in which
    /// a tick may fall.
    pub(super) async fn tick_of(&mut self, policies: usize) -> Vec<Observation> {
        let mut ticks: HashMap<Time, Vec<Observation>> = HashMap::new();
        for _ in 0..10 * policies {
            let observation = self.observation().await;
            let tick = ticks.entry(observation.at).or_default();
            tick.push(observation);
            if tick.len() == policies {
                return std::mem::take(tick);
            }
        }
        Vec::new()
    }

    pub(super) async fn advice(&mut self) -> Vec<Advice> {
        loop {
            if let PollerEvent::Advice { advice, .. } = self.event().await {
                return advice;
            }
        }
    }
}

pub(super) fn key(name: &str) -> PolicyKey {
    PolicyKey {
        namespace: "bots".to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn signal(value: &str, count: Option<(&str, f64)>) -> SignalQueries {
    SignalQueries {
        name: "s".to_owned(),
        value: Query::unchecked(value),
        count: count.map(|(query, at_least)| Count {
            query: Query::unchecked(query),
            at_least,
        }),
        top: None,
        samples: None,
        errors_exist: None,
        window: None,
    }
}

pub(super) fn every(millis: i64, signals: &[SignalQueries]) -> Subscription {
    Subscription {
        interval: Span::from_millis(millis),
        signals: signals.into(),
        thresholds: Arc::from([]),
    }
}

pub(super) fn readings(observation: &Observation) -> Vec<Reading> {
    observation.readings.iter().map(|o| o.reading).collect()
}
