//! What a person reads.

use super::builder::{Run, at, policy};
use crate::decide::Verdict::{self, Between, Breached, Clear, Unknown};
use crate::decide::{CountedAsClear, compare_views, sentence};
use crate::policy::{Mode, Policy};
use crate::time::Span;

fn said(policy: Policy, series: &str) -> String {
    let mut run = Run::of(policy);
    let decision = run.last(series);
    sentence(&run.policy, &run.readings, &run.memory, &decision)
}

fn named(name: &str) -> Policy {
    let room = || policy(&["any a>10"]).measures_feature(0, 1);
    match name {
        "plain" => policy(&["any a>10"]),
        "one rung" => policy(&["any a>10:20 b<3"]),
        "all" => policy(&["all a>10:20 b>10"]),
        "then two" => policy(&["any a>10", "any a>20 b>20"]).missing(20, Some(2)),
        "blind below" => policy(&["any b>10", "any a>10"]).missing(20, None),
        "room" => room(),
        "dry run" => room().mode(Mode::DryRun),
        "capped" => Policy {
            max_level: Some(0),
            ..room()
        },
        other => panic!("{other}"),
    }
}

/// A policy, a series, and what is said of its last tick.
const SAID: &str = "
one rung | 5,5 | at 0 (Normal): nothing is breached
one rung | 11,5*2 | at 0 (Normal): a 11 above 10 for 10s of 20s
one rung | 5,E | at 0 (Normal): nothing is breached, b Unknown (Empty)
one rung | 5,E*2 | at 0 (Normal): nothing is breached, b Unknown (Empty) for 10s
one rung | 11.00000001234,5*3 | level 0 -> 1 (rung-1): a 11 above 10 for 20s
one rung | 10.00000001234,5*3 | level 0 -> 1 (rung-1): a 10.00000001 above 10 for 20s
one rung | 5,2.5 | level 0 -> 1 (rung-1): b 2.5 below 3
all | 11,11*3 | level 0 -> 1 (rung-1): a 11 above 10 for 20s and 1 more
then two | T,5*3 | level 0 -> 2 (rung-2): blind, a Unknown (Transport) for 20s, and missing.then names this level
then two | T,5*4 | staying at 2 (rung-2): blind, a Unknown (Transport) for 30s
then two | 11,5 9,5 | staying at 1 (rung-1): a 9 is not clear (clear at or below 8)
then two | 11,5 5,5*2 | staying at 1 (rung-1): recovery in 20s at the earliest, a 5 clear for 10s of 30s
then two | 11,5 L,5*2 | staying at 1 (rung-1): recovery in 20s at the earliest, a (low traffic) clear for 10s of 30s
then two | 11,5 5,5 T,5 | staying at 1 (rung-1): a Unknown (Transport), and only a known reading is clear
then two | 11,5 5,5*4 | level 1 -> 0 (Normal): all clear for 30s or more
then two | 21,5 5,5*5 | staying at 1 (rung-1): recovery in 20s at the earliest, a level stands for 30s at least
blind below | 11,5 5,T*4 5,5 | staying at 2 (rung-2): recovery in 20s at the earliest, readings were missing until 10s ago
blind below | 5,T*4 | at 0 (Normal): blind, b Unknown (Transport) for 30s
room | 11 E*2 | staying at 1 (rung-1): recovery in 20s at the earliest, a (its feature is off) clear for 10s of 30s
dry run | 11 | level 0 -> 1 (rung-1): a 11 above 10; dry run, nothing is applied
capped | 11 | level 0 -> 1 (rung-1): a 11 above 10; maxLevel: 0 (Normal) is applied
plain | 11 5*4 11 | level 0 -> 1 (rung-1): a 11 above 10; a flap, penalty 1000
plain | 11 5*4 11 5*4 11 5*4 11 5*4 | staying at 1 (rung-1): recovery is held for flapping, penalty 2800, for 28m31s more
";

#[test]
fn sentences() {
    for line in SAID.trim().lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        assert_eq!(said(named(parts[0]), parts[1]), parts[2], "{line}");
    }
}

#[test]
fn a_pin_is_said() {
    let mut run = Run::of(policy(&["any a>10"]));
    run.memory.pin(1);
    let decision = run.last("5");
    let text = sentence(&run.policy, &run.readings, &run.memory, &decision);
    assert_eq!(
        text,
        "at 0 (Normal): nothing is breached; pinned: 1 (rung-1) is applied"
    );
}

#[test]
fn views_say_what_each_comparison_makes_of_its_reading() {
    let rungs = ["any a>10:20 b>10 c<3", "any d>5 e>10/8.5 f>5:20"];
    let mut run = Run::of(policy(&rungs).measures_feature(3, 1));
    run.ticks("11,5,4,E,9,11 11,L,T,E,9,11");
    let views = compare_views(&run.policy, &run.readings, &run.memory, at(25));
    let verdicts: Vec<Verdict> = views.iter().map(|v| v.verdict).collect();
    assert_eq!(
        verdicts,
        [Breached, Clear, Unknown, Unknown, Between, Breached]
    );
    assert_eq!(views[1].counted_as_clear, Some(CountedAsClear::LowTraffic));
    assert_eq!(views[2].last_known_ago, Some(Span::from_secs(25)));
    let json = serde_json::to_value(&views[0]).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "level": 1, "signal": "a", "direction": "Above", "threshold": "10", "clear": 8.0,
            "value": 11.0, "unknown": null, "verdict": "Breached", "countedAsClear": null,
            "breachedFor": 10000, "clearFor": 0, "for": 20000, "firing": false,
            "lastKnownAgo": 15000,
        })
    );
}
