//! What a decision says besides the level.

use super::builder::{Run, at, policy};
use crate::decide::Reason::{self, Escalated, Holding, Normal, Recovered};
use crate::decide::{Blocker, Cause};
use crate::policy::{LevelNumber, Mode, Policy};
use crate::time::Span;

#[test]
fn an_escalation_names_the_first_firing_comparison_of_the_rung_reached() {
    let mut run = Run::of(policy(&["any a>10", "any a>20:10 b>5"]));
    let transition = run.last("21,5 21,6").transition.unwrap();
    let cause = Cause {
        level: 2,
        comparison: 0,
        value: 21.0,
    };
    assert_eq!((transition.from, transition.to), (1, 2));
    assert_eq!(transition.reason, Reason::Escalated);
    assert_eq!(
        (transition.cause, transition.signal),
        (Some(cause), Some(0))
    );
}

#[test]
fn blindness_names_the_first_blind_signal_without_a_feature() {
    let two = policy(&["any a>10", "any b>10 c>10"]).missing(20, Some(1));
    let mut run = Run::of(two.measures_feature(0, 2));
    let decision = run.last("T,T,T*3");
    let transition = decision.transition.unwrap();
    assert_eq!(transition.reason, Reason::Blind);
    assert_eq!((transition.signal, transition.cause), (Some(1), None));
    assert_eq!(decision.blind, Some(1));
    assert_eq!(decision.reason, Reason::Blind);
}

#[test]
fn a_comparison_that_fires_as_high_is_no_blindness() {
    for (series, reason) in [("5,T*2 11,T", Reason::Escalated), ("5,T*3", Reason::Blind)] {
        let two = policy(&["any a>10 b>10"]).missing(20, Some(1));
        let transition = Run::of(two).last(series).transition.unwrap();
        assert_eq!(transition.reason, reason, "{series}");
    }
}

#[test]
fn reasons_between_transitions() {
    let mut run = Run::of(policy(&["any a>10"]));
    let reasons: Vec<Reason> = run.ticks("5 11 5*4 5").iter().map(|d| d.reason).collect();
    let holding = [Holding; 3];
    assert_eq!(reasons[..2], [Normal, Escalated]);
    assert_eq!(reasons[2..5], holding);
    assert_eq!(reasons[5..], [Recovered, Normal]);
}

#[test]
fn blockers() {
    let not_clear = |level, until: Option<i64>| {
        let until = until.map(at);
        Some(Blocker::NotClear {
            level,
            comparison: 0,
            until,
        })
    };
    let rows = [
        ("at Normal", "5,5", None),
        ("breached", "11,5", not_clear(1, None)),
        (
            "clear, not for long enough",
            "11,5 5,5*2",
            not_clear(1, Some(40)),
        ),
        ("a rung above", "11,5 5,21*3", not_clear(2, None)),
        (
            "standing",
            "5,21 5,5*4",
            Some(Blocker::Standing { until: at(70) }),
        ),
    ];
    for (name, series, blocker) in rows {
        let mut run = Run::of(policy(&["any a>10", "any b>20:25"]));
        if name == "standing" {
            run.policy.levels[1].when.comparisons[0].hold = Span::ZERO;
        }
        assert_eq!(run.last(series).blocker, blocker, "{name}");
    }
}

#[test]
fn blindness_blocks_and_has_blocked() {
    let mut run = Run::of(policy(&["any b>10", "any a>10"]).missing(20, None));
    let blind = run.last("11,5 5,T*4");
    assert_eq!(blind.blocker, Some(Blocker::Blind { signal: 1 }));
    assert_eq!(blind.blind, Some(1));
    let after = run.last("5,5");
    assert_eq!(after.blocker, Some(Blocker::BlindBefore { until: at(70) }));
    assert_eq!((after.blind, after.next_change), (None, Some(at(70))));
}

#[test]
fn next_change() {
    let any = || policy(&["any a>10:25 b>10:45", "any a>20:35"]).missing(35, None);
    let rows = [
        ("nothing pending", any(), "5,5", None),
        ("the first for", any(), "11,11", Some(25)),
        ("of any rung", any(), "21,11*3 21,5", Some(35)),
        ("an Unknown fires nothing", any(), "5,5 T,5", Some(45)),
        ("blind already", any(), "T,5*5", None),
        (
            "all: the last for",
            policy(&["all a>10:25 b>10:45"]),
            "11,11",
            Some(45),
        ),
        (
            "all: not while one is not breached",
            policy(&["all a>10:25 b>10:45"]),
            "11,5",
            None,
        ),
        ("recovery", policy(&["any a>10"]), "11 5*2", Some(40)),
        (
            "no recovery while between",
            policy(&["any a>10"]),
            "11 9",
            None,
        ),
        (
            "the next rung's recovery",
            policy(&["any a>5", "any a>10"]),
            "11 4*4",
            Some(70),
        ),
    ];
    for (name, policy, series, next) in rows {
        assert_eq!(
            Run::of(policy).last(series).next_change,
            next.map(at),
            "{name}"
        );
    }
}

#[test]
fn a_room_that_opens_or_shuts_shows_at_the_next_tick() {
    let mut run = Run::of(policy(&["any a>10", "any b>10:25"]).measures_feature(1, 1));
    assert_eq!(run.last("11,5").next_change, Some(at(10)));
    assert_eq!(run.last("11,5").next_change, None);
}

#[test]
fn what_is_applied() {
    let three = || policy(&["any a>10", "any a>20", "any a>30"]);
    let capped = || Policy {
        max_level: Some(1),
        ..three()
    };
    let applied = |policy: Policy, pin: Option<LevelNumber>| {
        let mut run = Run::of(policy);
        run.memory.pinned = pin;
        let decision = run.last("21");
        assert_eq!(decision.level, 2, "the level decided is never touched");
        (decision.applied, run.memory.applied)
    };
    assert_eq!(applied(three(), None), (2, Some(2)), "the level");
    assert_eq!(applied(capped(), None), (1, Some(1)), "at most maxLevel");
    assert_eq!(applied(three(), Some(3)), (3, Some(3)), "the pin");
    assert_eq!(applied(three(), Some(0)), (0, Some(0)), "a pin to Normal");
    assert_eq!(
        applied(capped(), Some(3)),
        (1, Some(1)),
        "the pin up to maxLevel"
    );
    let dry = three().mode(Mode::DryRun);
    assert_eq!(applied(dry, Some(3)), (0, None), "nothing in DryRun");
}

#[test]
fn since_is_the_last_transition() {
    let mut run = Run::of(policy(&["any a>10"]));
    run.ticks("5 11 11");
    assert_eq!(run.memory.since, Some(at(10)));
    assert_eq!(run.memory.recovered_at, None);
    run.ticks("5*4");
    assert_eq!(run.memory.recovered_at, Some(at(60)));
}
