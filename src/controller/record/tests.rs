use super::*;
use crate::decide::decide;
use crate::decide::tests::builder::policy;

fn at(seconds: i64) -> Time {
    Time::from_millis(seconds * 1000)
}

/// A policy, what it remembers, and its record.
struct Run(Policy, Memory, Record);

impl Run {
    fn of(policy: Policy) -> Self {
        let memory = Memory::new(&policy);
        Self(policy, memory, Record::default())
    }

    /// Decides a tick; true where status changes.
    fn tick(&mut self, seconds: i64, reading: Reading) -> bool {
        let Self(policy, memory, record) = self;
        let decision = decide(policy, &[reading], memory, at(seconds));
        record.decided(policy, memory, &decision, &[reading])
    }

    /// The levels applied and decided on, and since when the former.
    fn stands(&self) -> (LevelNumber, LevelNumber, Option<i64>) {
        let Self(_, _, record) = self;
        (
            record.level,
            record.desired,
            record.since.map(Time::as_secs),
        )
    }

    fn pin(&mut self, level: Option<LevelNumber>, seconds: i64) {
        let Self(policy, memory, record) = self;
        let why = if let Some(level) = level {
            memory.pin(level);
            words::PINNED
        } else {
            memory.unpin(at(seconds));
            words::UNPINNED
        };
        record.moved(policy, memory, at(seconds), why, "pin");
    }
}

fn two_rungs() -> Policy {
    policy(&["any a>10", "any a>20"])
}

#[test]
fn only_what_status_shows_is_a_change() {
    let mut run = Run::of(two_rungs());
    let value = Reading::Value;
    for (why, seconds, reading, changed) in [
        ("nothing to tell", 0, value(1.0), false),
        ("a transition", 10, value(15.0), true),
        ("another reading", 20, value(16.0), false),
        ("not blind yet", 30, Reading::Unknown(Unknown::Empty), false),
        ("seen again", 40, value(15.0), false),
        ("the next rung", 50, value(25.0), true),
    ] {
        assert_eq!(run.tick(seconds, reading), changed, "{why}");
    }
    assert_eq!(run.stands(), (2, 2, Some(50)));
}

#[test]
fn the_class_that_began_blindness_stays() {
    let mut run = Run::of(two_rungs().missing(10, None));
    for (seconds, class, blind) in [
        (0, Unknown::Timeout, None),
        (10, Unknown::Transport, Some(Unknown::Transport)),
        (20, Unknown::Http, Some(Unknown::Transport)),
    ] {
        run.tick(seconds, Reading::Unknown(class));
        let cause = run.2.blind.as_ref();
        assert_eq!(cause.map(|cause| cause.class), blind, "at {seconds}");
        assert!(cause.is_none_or(|cause| cause.signal == "a"));
    }
    assert!(run.tick(30, Reading::Value(1.0)), "it sees again");
    assert_eq!(run.2.blind, None);
}

#[test]
fn what_is_applied_follows_max_level_pin_and_mode() {
    let capped = Policy {
        max_level: Some(1),
        ..two_rungs()
    };
    let dry = Policy {
        mode: Mode::DryRun,
        ..two_rungs()
    };
    for (why, policy, pinned, stands) in [
        ("as decided", two_rungs(), None, (2, 2, Some(10))),
        ("at most maxLevel", capped.clone(), None, (1, 2, Some(10))),
        ("nothing in a dry run", dry.clone(), None, (0, 2, None)),
        ("the pin", two_rungs(), Some(1), (1, 2, Some(0))),
        ("a pin to Normal", two_rungs(), Some(0), (0, 2, None)),
        ("a pin under maxLevel", capped, Some(2), (1, 2, Some(0))),
        ("a pin in a dry run", dry, Some(1), (0, 2, None)),
    ] {
        let mut run = Run::of(policy);
        if let Some(level) = pinned {
            run.pin(Some(level), 0);
        }
        run.tick(10, Reading::Value(25.0));
        assert_eq!(run.stands(), stands, "{why}");
    }
}

#[test]
fn a_cause_is_told_from_history_alone() {
    let mut run = Run::of(two_rungs());
    let mut told = vec![run.2.cause()];
    run.tick(0, Reading::Value(15.5));
    told.push(run.2.cause());
    let reason = "a launch".to_owned();
    run.2.pin = Some(Pin {
        level: 2,
        until: at(99),
        reason,
    });
    run.pin(Some(2), 10);
    told.push(run.2.cause());
    run.2.pin = None;
    run.pin(None, 20);
    told.push(run.2.cause());
    for seconds in [30, 40, 50, 60] {
        run.tick(seconds, Reading::Value(1.0));
    }
    told.push(run.2.cause());
    assert_eq!(
        told,
        [
            "Normal",
            "a 15.5 above 10",
            "pinned: a launch",
            "the pin is over; recovering from there",
            "recovering one level at a time, from level 2",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn the_oldest_entries_go() {
    let mut run = Run::of(two_rungs());
    for n in 0..60 {
        run.pin(Some(n % 3), i64::try_from(n).unwrap());
    }
    assert_eq!(run.2.history.len(), HISTORY_LIMIT);
    assert_eq!(run.2.history.front().map(|entry| entry.at), Some(at(10)));
}
