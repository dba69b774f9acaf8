//! The poller against a real server on loopback, with a clock that a test can move.

mod bench;
mod fairness;

use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};

use super::super::advice::AdviceKind;
use super::super::query::Query;
use super::*;
use crate::decide::Unknown;
use crate::policy::Direction;
use bench::{Bench, bench, every, key, readings, signal};

#[tokio::test]
async fn policies_of_one_interval_share_their_queries_and_their_time() {
    let mut bench = bench(|source| source.evaluation_delay = Span::from_secs(7)).await;
    bench.server.says("a", "1");
    bench.server.says("n", "3");
    let signals = [
        signal("a", Some(("n", 2.0))),
        signal("a", Some(("n", 4.0))),
        signal("none", None),
    ];
    for name in ["x", "y", "z"] {
        bench.handle.subscribe(key(name), every(500, &signals));
    }
    let first = bench.tick_of(3).await;
    let at = first[0].at;
    assert_eq!(at.as_millis() % 500, 0);
    let late = bench.clock.now() - at;
    assert!(late < Span::from_secs(3), "{late}");
    for observation in &first {
        assert_eq!(observation.at, at);
        assert_eq!(
            readings(observation),
            [
                Reading::Value(1.0),
                Reading::Unknown(Unknown::LowTraffic),
                Reading::Unknown(Unknown::Empty)
            ]
        );
    }
    let time = at - Span::from_secs(7);
    let time = format!("{}.{:03}", time.as_secs(), time.as_millis() % 1000);
    for query in ["a", "n", "none"] {
        let of_tick = bench.server.asked(query).into_iter().filter(|t| *t == time);
        assert_eq!(of_tick.count(), 1, "{query}");
    }
    // a machine that stands still has ticks left out
    let next = bench.observation().await.at;
    assert!(next > at);
    assert_eq!(next.as_millis() % 500, 0);
}

#[tokio::test]
async fn a_policy_does_not_wait_for_the_slower_queries_of_another() {
    let mut bench = bench(|_| {}).await;
    bench.server.says("fast", "1");
    bench.server.says_after("slow", "2", Duration::from_secs(1));
    bench
        .server
        .says_after("never", "3", Duration::from_secs(60));
    bench.handle.subscribe(
        key("never"),
        every(2000, &[signal("never", None), signal("fast", None)]),
    );
    bench
        .handle
        .subscribe(key("slow"), every(2000, &[signal("slow", None)]));
    bench
        .handle
        .subscribe(key("fast"), every(2000, &[signal("fast", None)]));
    let tick = bench.tick_of(3).await;
    let late = bench.clock.now() - tick[2].at;
    let seen: Vec<_> = tick
        .iter()
        .map(|o| (o.key.name.clone(), readings(o)))
        .collect();
    assert_eq!(seen[0].0, "fast");
    assert_eq!(
        (seen[1].0.as_str(), seen[1].1.as_slice()),
        ("slow", &[Reading::Value(2.0)][..])
    );
    let timeout = Reading::Unknown(Unknown::Timeout);
    assert_eq!(
        (seen[2].0.as_str(), seen[2].1.as_slice()),
        ("never", &[timeout, Reading::Value(1.0)][..])
    );
    assert!(late < Span::from_millis(3900), "{late}");
}

#[tokio::test]
async fn an_extra_tick_is_for_one_policy_and_once() {
    let mut bench = bench(|_| {}).await;
    bench.server.says("a", "1");
    bench
        .handle
        .subscribe(key("x"), every(2000, &[signal("a", None)]));
    bench
        .handle
        .subscribe(key("y"), every(2000, &[signal("a", None)]));
    let regular = bench.tick_of(2).await[0].at;
    let extra = regular + Span::from_millis(900);
    bench
        .handle
        .ask_at(&key("x"), regular + Span::from_millis(500));
    bench.handle.ask_at(&key("x"), extra);
    let observation = bench.observation().await;
    assert_eq!(
        (observation.key.name.as_str(), observation.at),
        ("x", extra)
    );
    // on a regular tick, before the last one, or for nobody: nothing is asked
    bench
        .handle
        .ask_at(&key("x"), regular + Span::from_millis(2000));
    bench
        .handle
        .ask_at(&key("y"), regular - Span::from_millis(1));
    bench
        .handle
        .ask_at(&key("z"), regular + Span::from_millis(1300));
    let mut next = [
        bench.observation().await,
        bench.observation().await,
        bench.observation().await,
    ];
    next.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
    let ats: Vec<_> = next
        .iter()
        .map(|o| (o.key.name.as_str(), (o.at - regular).as_millis()))
        .collect();
    assert_eq!(ats[..2], [("x", 2000), ("y", 2000)]);
    assert_eq!(ats[2].1, 4000);
}

#[tokio::test]
async fn after_a_jump_of_the_clock_there_is_one_tick_and_no_burst() {
    let mut bench = bench(|_| {}).await;
    bench.server.says("a", "1");
    bench
        .handle
        .subscribe(key("x"), every(200, &[signal("a", None)]));
    let before = bench.observation().await.at;
    bench.clock.0.fetch_add(3_600_000, Ordering::SeqCst);
    let mut after = bench.observation().await.at;
    while after - before < Span::from_secs(3600) {
        after = bench.observation().await.at;
    }
    assert!(bench.clock.now() - after < Span::from_secs(2));
    goes_on(&mut bench, after).await;
    // and back
    bench.clock.0.fetch_sub(3_600_000, Ordering::SeqCst);
    let mut again = bench.observation().await.at;
    while again >= after {
        again = bench.observation().await.at;
    }
    assert!(bench.clock.now() - again < Span::from_secs(2));
    goes_on(&mut bench, again).await;
}

/// Ticks every 200 ms; a machine that stands still has some left out.
async fn goes_on(bench: &mut Bench, from: Time) {
    let next = bench.observation().await.at;
    assert!(next > from && next - from < Span::from_secs(3), "{next}");
    assert_eq!(next.as_millis() % 200, 0);
}

#[tokio::test]
async fn a_tick_under_way_while_the_clock_is_set_back_does_not_silence_those_after_it() {
    let mut bench = bench(|_| {}).await;
    bench
        .server
        .says_after("a", "1", Duration::from_millis(350));
    bench
        .handle
        .subscribe(key("x"), every(400, &[signal("a", None)]));
    let before = bench.observation().await.at;
    let asked = bench.server.asked("a").len();
    while bench.server.asked("a").len() == asked {
        sleep(Duration::from_millis(5)).await;
    }
    bench.clock.0.fetch_sub(3_600_000, Ordering::SeqCst);
    // anything that has the clock looked at before the answer comes
    bench.handle.unsubscribe(&key("y"));
    while bench.events.try_recv().is_ok() {}
    let mut again = bench.observation().await.at;
    if again >= before {
        again = bench.observation().await.at; // the answer was there already
    }
    for _ in 0..3 {
        assert!(again < before, "{again}");
        again = bench.observation().await.at;
    }
}

#[tokio::test]
async fn what_was_asked_for_an_older_spec_is_not_handed_out() {
    let mut bench = bench(|_| {}).await;
    bench.server.says_after("old", "1", Duration::from_secs(1));
    bench.server.says("new", "2");
    bench
        .handle
        .subscribe(key("x"), every(2000, &[signal("old", None)]));
    while bench.server.asked("old").is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let id = bench
        .handle
        .subscribe(key("x"), every(200, &[signal("new", None)]));
    // until the old answer has long come
    for _ in 0..8 {
        let observation = bench.observation().await;
        assert_eq!(
            (observation.subscription, readings(&observation)),
            (id, vec![Reading::Value(2.0)])
        );
    }
    bench.handle.unsubscribe(&key("x"));
    sleep(Duration::from_millis(300)).await;
    while bench.events.try_recv().is_ok() {}
    sleep(Duration::from_millis(500)).await;
    assert!(bench.events.try_recv().is_err());
}

#[tokio::test]
async fn the_past_can_be_asked_for() {
    let bench = bench(|source| source.evaluation_delay = Span::from_secs(2)).await;
    bench.server.says("a", "5");
    bench.server.says("n", "9");
    let signals = [signal("a", Some(("n", 2.0))), signal("none", None)];
    let at = Time::from_millis(100_000);
    let observed = bench.handle.instant(Asker::default(), &signals, at).await;
    assert_eq!(
        (observed[0].reading, observed[0].count),
        (Reading::Value(5.0), Some(Reading::Value(9.0)))
    );
    assert_eq!(bench.server.asked("a"), ["98.000"]);
    let to = at + Span::from_secs(10);
    let points = bench
        .handle
        .range(Asker::default(), &signals, at, to, Span::from_secs(5))
        .await;
    let empty = Reading::Unknown(Unknown::Empty);
    assert_eq!(
        points,
        [
            (at, vec![Reading::Value(5.0), empty]),
            (at + Span::from_secs(5), vec![empty, empty]),
            (to, vec![empty, empty]),
        ]
    );
}

#[tokio::test]
async fn advice_comes_when_a_bot_has_had_time_to_start() {
    let mut bench = bench(|_| {}).await;
    let mut latency = signal("p95", None);
    latency.name = "latency-p95".to_owned();
    latency.top = Some(Query::unchecked("top"));
    latency.samples = Some(Query::unchecked("samples"));
    let mut errors = signal("ratio", None);
    errors.samples = Some(Query::unchecked("samples"));
    errors.errors_exist = Some(Query::unchecked("none"));
    let mut gone = signal("gone", None);
    gone.samples = Some(Query::unchecked("none"));
    let threshold = |value: f64, direction| Threshold {
        signal: 0,
        direction,
        value,
        text: value.to_string(),
    };
    latency.window = Some(Span::from_millis(1200));
    let mut subscription = every(200, &[latency, errors, gone]);
    subscription.thresholds = Arc::from([
        threshold(1.5, Direction::Above),
        threshold(8.0, Direction::Above),
        threshold(8.0, Direction::Below),
    ]);
    bench.handle.subscribe(key("x"), subscription);
    // the bot starts after the policy was understood, and is asked about after its first ticks
    bench.observation().await;
    bench.server.says("top", "2.5");
    bench.server.says("samples", "4");
    let advice = bench.advice().await;
    let told: Vec<_> = advice.iter().map(|a| (a.signal, a.kind.as_str())).collect();
    assert_eq!(
        told,
        [
            (0, "Unreachable"),
            (1, "ErrorsSelectNothing"),
            (2, "NoSeries")
        ]
    );
    assert_eq!(
        advice[0].message,
        "above 8: latency-p95 can never exceed 2.5, its highest bucket: lower it or add buckets"
    );
    assert!(
        matches!(&advice[0].kind, AdviceKind::Unreachable { top, .. } if top.to_string() == "2.5")
    );
    // a second signal with the same query did not ask it again
    assert_eq!(bench.server.asked("samples").len(), 1);
}

#[tokio::test]
async fn a_source_that_is_gone_gives_transport_at_every_tick() {
    // a port that nobody else can take meanwhile, and on which nobody listens
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a free port");
    let nowhere = format!("http://{}", socket.local_addr().expect("an address"));
    let mut bench = bench(|source| source.url = nowhere).await;
    bench
        .handle
        .subscribe(key("x"), every(200, &[signal("a", Some(("n", 1.0)))]));
    let mut before = bench.observation().await.at;
    let mut gaps = Vec::new();
    for _ in 0..8 {
        let observation = bench.observation().await;
        assert_eq!(
            readings(&observation),
            [Reading::Unknown(Unknown::Transport)]
        );
        gaps.push(observation.at - before);
        before = observation.at;
    }
    // a machine that stands still has some left out
    let at_once = gaps.iter().filter(|gap| **gap == Span::from_millis(200));
    assert!(at_once.count() >= 4, "{gaps:?}");
}

#[tokio::test]
async fn a_poller_ends_with_its_handles() {
    let mut bench = bench(|_| {}).await;
    bench
        .handle
        .subscribe(key("x"), every(200, &[signal("a", None)]));
    drop(bench.handle);
    let ended = timeout(Duration::from_secs(30), async {
        while bench.events.recv().await.is_some() {}
    });
    assert!(ended.await.is_ok());
}

/// Many policies with few queries cost few requests; the test fails only where that is grossly wrong.
#[tokio::test]
async fn a_thousand_policies_ask_what_one_asks() {
    let mut bench = bench(|_| {}).await;
    bench.server.says("a", "1");
    bench.server.says("b", "1");
    let signals: Arc<[SignalQueries]> = [signal("a", Some(("b", 1.0)))].into();
    for n in 0..1000 {
        let subscription = Subscription {
            signals: Arc::clone(&signals),
            ..every(1000, &[])
        };
        bench.handle.subscribe(key(&n.to_string()), subscription);
    }
    let tick = bench.tick_of(1000).await;
    assert_eq!(tick.len(), 1000);
    let ticks: std::collections::BTreeSet<_> = bench.server.asked("a").into_iter().collect();
    assert_eq!(bench.server.asked("a").len(), ticks.len());
}
