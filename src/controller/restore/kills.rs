//! Killed after each tick of a run.

use super::*;
use crate::decide::tests::builder::policy;
use crate::decide::{Decision, Unknown};

fn at(seconds: i64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// Wherever it is killed: what was rebuilt from readings and history decides all that follows alike.
#[test]
fn a_restart_at_any_tick_changes_no_decision() {
    for (why, policy, series) in [
        (
            "a for",
            policy(&["any a>10:40"]),
            "1 20 20 20 20 20 20 1 1 1 1 1 1",
        ),
        (
            "a recovery",
            policy(&["any a>10", "any a>20"]),
            "25 25 1 1 1 1 1 1 1 1 1 1 1",
        ),
        (
            "gaps",
            policy(&["any a>10:30"]),
            "20 20 ? 20 20 20 1 1 ? 1 1 1 ? ? 1 1 1 1",
        ),
        (
            "blindness",
            policy(&["any a>10"]).missing(30, Some(1)),
            "1 ? ? ? ? ? 1 1 1 1 1 1 1 1",
        ),
        (
            "a flap",
            policy(&["any a>10"]),
            "20 1 1 1 1 20 1 1 1 1 1 20 1 1 1 1 1 1",
        ),
    ] {
        let readings: Vec<Reading> = series.split(' ').map(reading).collect();
        let (whole, _) = run(&policy, &readings, None);
        for killed_after in 1..readings.len() {
            let (again, memory) = run(&policy, &readings, Some(killed_after));
            assert_eq!(
                levels(&again),
                levels(&whole),
                "{why}, killed after {killed_after}"
            );
            assert_eq!(again.last().unwrap().blind, whole.last().unwrap().blind);
            assert!(memory.level <= policy.top());
        }
    }
}

fn reading(word: &str) -> Reading {
    word.parse()
        .map_or(Reading::Unknown(Unknown::Empty), Reading::Value)
}

fn levels(decisions: &[Decision]) -> Vec<(LevelNumber, bool)> {
    decisions
        .iter()
        .map(|d| (d.level, d.blind.is_some()))
        .collect()
}

/// Decides a series; after `killed_after` ticks all is forgotten but what status holds.
fn run(
    policy: &Policy,
    readings: &[Reading],
    killed_after: Option<usize>,
) -> (Vec<Decision>, Memory) {
    let time = |n: usize| at(1000 + 10 * i64::try_from(n).unwrap());
    let mut memory = Memory::new(policy);
    let mut record = Record::default();
    let mut decisions = Vec::new();
    for (n, reading) in readings.iter().enumerate() {
        if killed_after == Some(n) {
            memory = after_a_kill(policy, &memory, &record, &readings[..n], time);
        }
        let decision = decide(policy, &[*reading], &mut memory, time(n));
        record.decided(policy, &memory, &decision, &[*reading]);
        decisions.push(decision);
    }
    (decisions, memory)
}

fn after_a_kill(
    policy: &Policy,
    memory: &Memory,
    record: &Record,
    past: &[Reading],
    time: impl Fn(usize) -> Time,
) -> Memory {
    let kept = Memory {
        comparisons: Memory::new(policy).comparisons,
        signals: Memory::new(policy).signals,
        last_blind: None,
        ..memory.clone()
    };
    let mut rebuilt = Memory::new(policy);
    for (n, reading) in past.iter().enumerate() {
        replay(policy, record, &mut rebuilt, time(n), &[*reading]);
    }
    let unknown_since = memory.signals[0].unknown_since;
    let rebuilt = Rebuilt {
        memory: rebuilt,
        unanswered: vec![false],
        from: time(0),
        to: time(past.len() - 1),
    };
    conclude(&kept, rebuilt, unknown_since, record.blind.is_some())
}
