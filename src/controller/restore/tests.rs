use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as MetaTime};

use super::*;
use crate::api::{BotDegradationPolicyStatus, conditions};
use crate::controller::record::Entry;
use crate::decide::Unknown;
use crate::decide::tests::builder::policy;

fn at(seconds: i64) -> Time {
    Time::from_millis(seconds * 1000)
}

fn entry(seconds: i64, from: LevelNumber, to: LevelNumber, reason: &str) -> Entry {
    Entry {
        at: at(seconds),
        from,
        to,
        signal: None,
        value: None,
        threshold: None,
        reason: reason.to_owned(),
        by: words::BY_POLICY.to_owned(),
    }
}

fn record(entries: Vec<Entry>, level: LevelNumber) -> Record {
    Record {
        level,
        desired: level,
        history: entries.into(),
        ..Record::default()
    }
}

fn status(kind: &str, of: &str, reason: &str, message: &str) -> BotDegradationPolicyStatus {
    BotDegradationPolicyStatus {
        conditions: vec![Condition {
            type_: kind.to_owned(),
            status: of.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            observed_generation: Some(1),
            last_transition_time: MetaTime(Timestamp::from_second(500).unwrap()),
        }],
        ..BotDegradationPolicyStatus::default()
    }
}

#[test]
fn a_level_is_found_again_on_a_ladder_that_changed() {
    let policy = policy(&["any a>1", "any a>2", "any a>3"]);
    for (why, names, level, found) in [
        ("nothing changed", vec!["rung-1", "rung-2", "rung-3"], 2, 2),
        ("no names are known", vec![], 2, 2),
        ("no names, and too high", vec![], 7, 3),
        ("one was put below", vec!["rung-2", "rung-3"], 1, 2),
        (
            "it is gone, the one below is left",
            vec!["rung-1", "x", "rung-2", "rung-3"],
            2,
            1,
        ),
        ("renamed", vec!["rung-1", "x", "rung-3"], 2, 2),
        ("a number that is none", vec![], -1, 0),
    ] {
        let status = BotDegradationPolicyStatus {
            level,
            desired_level: level,
            level_names: names.into_iter().map(str::to_owned).collect(),
            ..BotDegradationPolicyStatus::default()
        };
        let Remembered { memory, record, .. } = remember(&policy, &status);
        assert_eq!(
            (memory.level, record.level, record.desired),
            (found, found, found),
            "{why}"
        );
    }
}

#[test]
fn conditions_are_remembered() {
    let policy = policy(&["any a>1"]);
    let available = conditions::METRICS_AVAILABLE;
    let blind = remember(
        &policy,
        &status(available, "False", "Http", "a: Http for longer"),
    );
    let cause = blind.record.blind.map(|cause| (cause.signal, cause.class));
    assert_eq!(cause, Some(("a".to_owned(), Unknown::Http)));
    assert!(blind.was_blind && blind.memory.last_blind.is_none());

    let returned = status(available, "True", conditions::SIGNALS_RETURNED, "again");
    let returned = remember(&policy, &returned);
    assert!(returned.was_blind && returned.record.blind.is_none());
    assert_eq!(
        returned.memory.last_blind,
        Some(at(490)),
        "the tick before it saw again"
    );

    let rejected = rejection(&policy, 0).message + "; something else";
    let rejected = status(
        conditions::READY,
        "False",
        conditions::QUERY_REJECTED,
        &rejected,
    );
    assert_eq!(remember(&policy, &rejected).rejected, Some(0));
    let ready = status(
        conditions::READY,
        "True",
        conditions::RECONCILED,
        "all is well",
    );
    assert_eq!(remember(&policy, &ready).rejected, None);
}

#[test]
fn levels_of_the_past_are_those_of_history() {
    let policy = policy(&["any a>1", "any a>2"]);
    let run = record(
        vec![
            entry(10, 0, 1, words::ESCALATED),
            entry(20, 1, 2, words::PINNED),
            entry(30, 2, 1, words::RECOVERED),
        ],
        1,
    );
    for (seconds, applied, decided) in [(5, 0, 0), (10, 1, 1), (19, 1, 1), (20, 2, 1), (99, 2, 1)] {
        assert_eq!(
            applied_at(&policy, &run, at(seconds)),
            Some(applied),
            "at {seconds}"
        );
        assert_eq!(
            decided_at(&policy, &run, at(seconds)),
            decided,
            "at {seconds}"
        );
    }
    let silent = record(Vec::new(), 2);
    assert_eq!(applied_at(&policy, &silent, at(5)), Some(2));
    let capped = Policy {
        max_level: Some(1),
        ..policy.clone()
    };
    assert_eq!(applied_at(&capped, &silent, at(5)), Some(1));
    let dry = Policy {
        mode: Mode::DryRun,
        ..policy
    };
    assert_eq!(applied_at(&dry, &silent, at(5)), None);
}

#[test]
fn the_window_holds_what_timers_need() {
    // an interval of 10 s, recovery after 30 s
    let policy = policy(&["any a>1:50", "any a>2"]).missing(100, None);
    for (level, seconds) in [(0, 2 * 50 + 100 + 40), (1, 2 * 50 + 100 + 40)] {
        assert_eq!(window(&policy, level), Span::from_secs(seconds));
    }
    let quick = crate::decide::tests::builder::policy(&["any a>1"]).missing(100, None);
    assert_eq!(window(&quick, 0), Span::from_secs(140));
    assert_eq!(window(&quick, 1), Span::from_secs(200));
}

#[test]
fn a_gap_begins_when_it_began() {
    let policy = policy(&["any a>1"]);
    let from = at(100);
    for (why, unanswered, own, remembered, since) in [
        ("no gap", false, None, None, None),
        ("a gap that is over", false, None, Some(50), None),
        ("a new one", false, Some(120), None, Some(120)),
        (
            "longer than what was looked at",
            false,
            Some(100),
            Some(50),
            Some(50),
        ),
        (
            "from before the first tick",
            false,
            Some(100),
            Some(110),
            Some(110),
        ),
        (
            "a later one of another signal",
            false,
            Some(150),
            Some(120),
            Some(150),
        ),
        (
            "the source is silent",
            true,
            Some(100),
            Some(130),
            Some(130),
        ),
        (
            "the source has just become silent",
            true,
            Some(100),
            None,
            None,
        ),
    ] {
        let mut rebuilt = Memory::new(&policy);
        rebuilt.signals[0].unknown_since = own.map(at);
        let now = Memory::new(&policy);
        let rebuilt = Rebuilt {
            memory: rebuilt,
            unanswered: vec![unanswered],
            from,
            to: at(200),
        };
        let memory = conclude(&now, rebuilt, remembered.map(at), false);
        assert_eq!(memory.signals[0].unknown_since, since.map(at), "{why}");
    }
}

#[test]
fn blindness_that_the_source_does_not_tell_of_lasted_until_now() {
    let policy = policy(&["any a>1"]);
    for (why, was_blind, told, last_blind) in [
        ("never blind", false, None, None),
        ("told of", true, Some(150), Some(150)),
        ("not told of", true, None, Some(200)),
        (
            "told of, and status knew it was over",
            false,
            Some(150),
            Some(150),
        ),
    ] {
        let mut memory = Memory::new(&policy);
        memory.last_blind = told.map(at);
        let rebuilt = Rebuilt {
            memory,
            unanswered: vec![false],
            from: at(100),
            to: at(200),
        };
        let memory = conclude(&Memory::new(&policy), rebuilt, Some(at(120)), was_blind);
        assert_eq!(memory.last_blind, last_blind.map(at), "{why}");
    }
}
