//! Against a server on loopback that takes its time: asking moves the clock.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::Response;
use axum::routing::post;
use prometheus_http_query::reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::decide::tests::builder::policy;
use crate::prometheus::access::Access;
use crate::prometheus::clock::SystemClock;
use crate::prometheus::metrics::PollerMetrics;
use crate::prometheus::poller::Poller;
use crate::prometheus::query::Query;
use crate::prometheus::source::Source;

#[derive(Default)]
struct Server {
    now: Mutex<i64>,
    /// How many seconds each range takes.
    takes: Mutex<VecDeque<i64>>,
    /// What is asked of `max(silent)`: it takes longer than the source's timeout.
    silent: Mutex<usize>,
    /// The ranges that were asked for, in seconds.
    asked: Mutex<Vec<(i64, i64)>>,
}

impl Server {
    fn now(&self) -> Time {
        at(*self.now.lock().expect("unpoisoned"))
    }
}

fn at(seconds: i64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// 2 at every tick.
async fn respond(State(server): State<Arc<Server>>, body: String) -> Response<String> {
    let url = Url::parse(&format!("http://form/?{body}")).expect("a form");
    let form: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let number = |name: &str| form[name].split('.').next().and_then(|n| n.parse().ok());
    let (from, to): (i64, i64) = (
        number("start").expect("a start"),
        number("end").expect("an end"),
    );
    if form["query"] == "max(silent)" {
        *server.silent.lock().expect("unpoisoned") += 1;
        return std::future::pending().await;
    }
    server.asked.lock().expect("unpoisoned").push((from, to));
    let takes = server.takes.lock().expect("unpoisoned").pop_front();
    *server.now.lock().expect("unpoisoned") += takes.unwrap_or(0);
    let values: Vec<_> = (from..=to)
        .step_by(10)
        .map(|t| format!("[{t},\"2\"]"))
        .collect();
    let series = format!("{{\"metric\":{{}},\"values\":[{}]}}", values.join(","));
    Response::builder()
        .header("content-type", "application/json")
        .body(format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{series}]}}}}"
        ))
        .expect("a response")
}

async fn server(now: i64, takes: &[i64]) -> (Arc<Server>, PollerHandle) {
    crate::tls::install();
    let server = Arc::new(Server {
        now: Mutex::new(now),
        takes: Mutex::new(takes.iter().copied().collect()),
        ..Server::default()
    });
    let app = Router::new()
        .route("/api/v1/query_range", post(respond))
        .with_state(Arc::clone(&server));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (out, _) = mpsc::channel(1);
    let mut source = Source::new("default", url);
    source.timeout = Span::from_secs(3);
    let poller = Poller::spawn(
        source,
        Access::default(),
        out,
        PollerMetrics::default(),
        SystemClock,
    );
    (server, poller.expect("a good source"))
}

/// Of a policy with an interval of 10 s that fires after 50 s and whose window is 240 s.
fn past(not_before: Time) -> Past {
    let policy = policy(&["any a>1:50"]).missing(100, None);
    let signal = SignalQueries {
        name: "a".to_owned(),
        value: Query::unchecked("max(a)"),
        count: None,
        top: None,
        samples: None,
        errors_exist: None,
        window: None,
    };
    Past {
        uid: String::new(),
        namespace: "bots".to_owned(),
        generation: 1,
        tenant: None,
        memory: Memory::new(&policy),
        policy: Arc::new(policy),
        queries: [signal].into(),
        record: Record::default(),
        unknown_since: None,
        not_before,
    }
}

#[tokio::test]
async fn ticks_that_pass_meanwhile_are_replayed_too() {
    let (server, poller) = server(1003, &[35, 25]).await;
    let past = past(Time::default());
    let mut replay = Replay::new(&past, server.now());
    replay.catch_up(&poller, || server.now()).await;
    let asked = server.asked.lock().expect("unpoisoned").clone();
    assert_eq!(asked, [(360, 1000), (1010, 1030), (1040, 1060)]);
    assert_eq!(replay.from, at(770));
    assert_eq!(replay.unanswered, [false]);
    let timer = replay.memory.comparisons[0];
    assert_eq!(timer.breached_for, at(1060) - at(770));
    assert_eq!(timer.last_known.map(|last| last.at), Some(at(1060)));
}

#[tokio::test]
async fn a_query_that_hangs_is_waited_for_once() {
    let (server, poller) = server(1003, &[30]).await;
    let mut past = past(Time::default());
    let policy = policy(&["any a>1:50 b>1:50"]).missing(100, None);
    let mut silent = past.queries[0].clone();
    silent.name = "b".to_owned();
    silent.value = Query::unchecked("max(silent)");
    past.queries = [past.queries[0].clone(), silent].into();
    past.memory = Memory::new(&policy);
    past.policy = Arc::new(policy);
    let mut replay = Replay::new(&past, server.now());
    replay.catch_up(&poller, || server.now()).await;
    assert_eq!(*server.silent.lock().expect("unpoisoned"), 1);
    assert_eq!(server.asked.lock().expect("unpoisoned").len(), 2);
    assert_eq!(replay.unanswered, [false, true]);
    // the other's timer goes on over the ticks that passed meanwhile
    let timer = replay.memory.comparisons[0];
    assert_eq!(timer.last_known.map(|last| last.at), Some(at(1030)));
}

#[tokio::test]
async fn a_source_that_is_too_slow_is_not_asked_for_ever() {
    let (server, poller) = server(1003, &[20; 100]).await;
    let past = past(Time::default());
    let mut replay = Replay::new(&past, server.now());
    replay.catch_up(&poller, || server.now()).await;
    assert_eq!(server.asked.lock().expect("unpoisoned").len(), 6);
}

#[tokio::test]
async fn policies_of_one_interval_ask_for_the_same_past() {
    let (server, poller) = server(1003, &[]).await;
    for not_before in [0, 900, 995] {
        let past = past(at(not_before));
        let mut replay = Replay::new(&past, server.now());
        replay.catch_up(&poller, || server.now()).await;
        // no timer reaches back to before it was made
        let first = at(not_before).max(at(763)).next_tick(past.policy.interval);
        assert_eq!(replay.from, first);
        assert_eq!(replay.memory.comparisons[0].breached_for, at(1000) - first);
    }
    assert_eq!(*server.asked.lock().expect("unpoisoned"), [(360, 1000)]);
    // made after the last tick
    let past = past(at(1002));
    let mut replay = Replay::new(&past, server.now());
    replay.catch_up(&poller, || server.now()).await;
    assert_eq!(replay.memory, past.memory);
}
