//! Pins, pauses and edits of the policy.

use super::builder::{Run, at, policy};
use crate::decide::{Memory, level_after_edit};
use crate::policy::Mode;
use crate::time::Span;

#[test]
fn names_decide_the_level_after_an_edit() {
    let rows = [
        ("kept", "a b c", "a b c", 2, 2),
        ("Normal", "a b c", "x", 0, 0),
        ("one inserted below", "a b", "x a b", 2, 3),
        ("one removed below", "a b c", "b c", 3, 2),
        ("a rename", "a b c", "a x c", 2, 2),
        ("two swapped", "a b c", "b a c", 2, 1),
        ("gone, its place taken by an old name", "a b c", "a c", 2, 1),
        ("gone, the nearest below is gone too", "a b c", "a", 3, 1),
        ("gone, its place empty", "a b", "a", 2, 1),
        ("gone, nothing is left below", "a b", "b", 1, 0),
        ("nothing is left", "a b", "", 2, 0),
        ("all renamed", "a b", "x y", 2, 2),
        ("a level beyond the ladder", "a b", "a b", 5, 2),
    ];
    for (name, old, new, level, expected) in rows {
        let old: Vec<&str> = old.split_whitespace().collect();
        let new: Vec<&str> = new.split_whitespace().collect();
        assert_eq!(level_after_edit(&old, &new, level), expected, "{name}");
    }
}

#[test]
fn a_pin_is_where_deciding_goes_on_from() {
    let mut run = Run::of(policy(&["any a>10", "any a>20", "any a>30"]));
    run.memory.pin(2);
    let pinned = run.last("5*4");
    assert_eq!((pinned.level, pinned.applied), (0, 2));
    run.memory.unpin(at(run.seconds));
    let levels: Vec<usize> = run.ticks("5*7").iter().map(|d| d.level).collect();
    assert_eq!(
        levels,
        [2, 2, 2, 1, 1, 1, 0],
        "down rung by rung, from when the pin ended"
    );
    run.memory.pin(0);
    run.ticks("31*2");
    run.memory.unpin(at(run.seconds));
    let up = run.last("31");
    assert_eq!(up.level, 3, "up at once");
    assert!(
        !up.transition.unwrap().flap,
        "the end of a pin is no recovery"
    );
    let before = run.memory.clone();
    run.memory.unpin(at(run.seconds));
    assert_eq!(run.memory, before, "nothing was pinned");
}

#[test]
fn after_a_pause_all_times_start_at_0() {
    let mut run = Run::of(policy(&["any a>10:20 b>5"]).missing(20, None));
    run.ticks("11,6 11,T*2");
    run.memory.reset_times();
    let levels: Vec<usize> = run.ticks("11,T*3").iter().map(|d| d.level).collect();
    assert_eq!(levels, [1, 1, 1], "the level stays");
    assert_eq!(run.memory.comparisons[0].breached_for, Span::from_secs(20));
    assert_eq!(run.memory.signals[1].unknown_since, Some(at(30)));
}

#[test]
fn comparisons_that_stayed_equal_keep_their_times() {
    let mut run = Run::of(policy(&["any a>10:20 b>5:50", "any a>20:20"]).missing(50, None));
    run.ticks("21,T*2");
    let old = run.policy.clone();
    let mut edited = policy(&["any b>5:50 c>1", "any a>20:20 a>10:30"]);
    edited.levels[1].name = "new".into();
    let carried = run.memory.carry_over(&old, &edited, at(20));
    let breached: Vec<i64> = carried
        .comparisons
        .iter()
        .map(|c| c.breached_for.as_millis())
        .collect();
    assert_eq!(breached, [0, 0, 10_000, 0], "for 30s is no longer for 20s");
    let since: Vec<_> = carried.signals.iter().map(|s| s.unknown_since).collect();
    assert_eq!(since, [None, Some(at(0)), None]);
    edited.signals[0].low_traffic = crate::policy::LowTraffic::Hold;
    let carried = run.memory.carry_over(&old, &edited, at(20));
    assert_eq!(
        carried.comparisons[2].breached_for,
        Span::ZERO,
        "another signal"
    );
}

#[test]
fn an_edit_keeps_the_level_by_name() {
    let old = policy(&["any a>10", "any a>20", "any a>30"]);
    let mut run = Run::of(old.clone());
    run.ticks("31 5*4");
    let memory = Memory {
        pinned: Some(1),
        ..run.memory
    };
    assert_eq!((memory.level, memory.recovered_at), (2, Some(at(40))));
    let mut inserted = policy(&["any a>5", "any a>10", "any a>20", "any a>30"]);
    for (rung, name) in inserted
        .levels
        .iter_mut()
        .zip(["new", "rung-1", "rung-2", "rung-3"])
    {
        rung.name = name.into();
    }
    let kept = memory.carry_over(&old, &inserted, at(50));
    assert_eq!(
        (kept.level, kept.pinned, kept.applied),
        (3, Some(2), Some(3))
    );
    assert_eq!(
        (kept.since, kept.recovered_at),
        (memory.since, memory.recovered_at)
    );
    let gone = memory.carry_over(&old, &policy(&["any a>10"]), at(50));
    assert_eq!(
        (gone.level, gone.since, gone.recovered_at),
        (1, Some(at(50)), None)
    );
    let mut renamed = old.clone();
    renamed.levels[1].name = "new".into();
    assert_eq!(
        memory.carry_over(&old, &renamed, at(50)).since,
        memory.since
    );
    let dry = memory.carry_over(&old, &old.clone().mode(Mode::DryRun), at(50));
    assert_eq!(dry.applied, None);
    assert_eq!(
        memory.carry_over(&old, &old, at(50)),
        memory,
        "no edit, no change"
    );
}
