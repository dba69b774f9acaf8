//! Many policies and namespaces at one source: nobody is kept waiting by another, or asks twice.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::super::*;
use super::bench::{Bench, bench, every, readings, signal};
use crate::decide::Reading;
use crate::prometheus::client::Wait;

fn of(namespace: &str, name: &str) -> PolicyKey {
    PolicyKey {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

fn asker(circle: &str) -> Asker<'_> {
    Asker {
        circle: Some(circle),
        wait: Wait::Patiently,
    }
}

#[tokio::test]
async fn slow_queries_of_one_namespace_leave_the_others_their_turns() {
    let mut bench = bench(|_| {}).await;
    bench.server.says("own", "1");
    bench.server.says("copied", "2");
    let slow: Vec<_> = (0..20).map(|n| format!("slow{n}")).collect();
    let mut queries: Vec<_> = slow.iter().map(|query| signal(query, None)).collect();
    for query in &slow {
        bench.server.says_after(query, "3", Duration::from_secs(60));
    }
    queries.push(signal("copied", None));
    bench
        .handle
        .subscribe(of("aaa", "slow"), every(700, &queries));
    // between its ticks, and as patient as can be
    let past = bench.handle.clone();
    tokio::spawn(async move { past.instant(asker("aaa"), &queries, Time::default()).await });
    let plain = [signal("own", None), signal("copied", None)];
    bench
        .handle
        .subscribe(of("bots", "plain"), every(1000, &plain));
    // a machine that stands still may make one or two late
    let mut prompt = 0;
    for _ in 0..6 {
        let observation = loop {
            let observation = bench.observation().await;
            if observation.key.namespace == "bots" {
                break observation;
            }
        };
        let late = bench.clock.now() - observation.at;
        let values = [Reading::Value(1.0), Reading::Value(2.0)];
        prompt += usize::from(late < Span::from_millis(500) && readings(&observation) == values);
        if prompt == 4 {
            break;
        }
    }
    assert_eq!(prompt, 4);
}

async fn ranges(bench: &Bench, askers: &[&str], to: Time) {
    let signals = [signal("a", None)];
    let step = Span::from_secs(5);
    let asking = askers.iter().map(|circle| {
        bench
            .handle
            .range(asker(circle), &signals, Time::default(), to, step)
    });
    let answers = join_all(asking).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn equal_ranges_are_asked_once_and_kept_for_a_moment() {
    let bench = bench(|_| {}).await;
    bench.server.says_after("a", "1", Duration::from_millis(50));
    let to = Time::from_millis(100_000);
    ranges(&bench, &["bots", "bots", "bots"], to).await;
    ranges(&bench, &["bots"], to).await;
    assert_eq!(bench.server.asked("a").len(), 1);
    // one that waits for its own turn, and one that asks for something else
    ranges(&bench, &["zoo"], to).await;
    ranges(&bench, &["bots"], to + Span::from_secs(5)).await;
    assert_eq!(bench.server.asked("a").len(), 3);
    assert_eq!(bench.handle.past.len(), 3);
    let forgotten = async {
        while bench.handle.past.len() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), forgotten);
    in_time.await.expect("they are forgotten");
}

#[tokio::test]
async fn what_is_too_much_to_keep_is_not_kept() {
    let bench = bench(|_| {}).await;
    let to = Time::from_millis(5000 * 210_000);
    ranges(&bench, &["bots", "bots"], to).await;
    let pieces = bench.server.asked("a").len();
    assert_eq!(pieces, 20);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(bench.handle.past.len(), 0);
}
