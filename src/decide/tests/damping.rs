//! Flap damping: H is 15 minutes here.

use super::builder::{Run, at, policy};
use crate::decide::{Blocker, ComparisonMemory, Decision};
use crate::time::Span;

/// Up at once, down 40 s later: one flap every 50 s from the second round on.
const ROUND: &str = "11 5*4";

fn flapped(rounds: usize) -> (Run, Vec<Decision>) {
    let mut run = Run::of(policy(&["any a>10"]));
    let decisions = (0..rounds).flat_map(|_| run.ticks(ROUND)).collect();
    (run, decisions)
}

#[test]
fn an_escalation_soon_after_a_recovery_is_a_flap() {
    let (run, decisions) = flapped(3);
    let flaps: Vec<bool> = decisions
        .iter()
        .filter_map(|d| d.transition)
        .map(|t| t.flap)
        .collect();
    assert_eq!(flaps, [false, false, true, false, true, false]);
    let halved = 1000.0 * (-50.0_f64 / 900.0).exp2();
    assert!((run.memory.damping.penalty - 1000.0 - halved).abs() < 1e-9);
    assert_eq!(run.memory.damping.held_since, None);
}

#[test]
fn no_flap_after_an_escalation_nor_h_after_a_recovery() {
    let mut run = Run::of(policy(&["any a>10", "any a>20"]));
    run.ticks("11 5*4");
    run.seconds = 40 + 900;
    let late = run.last("11").transition.unwrap();
    assert!(!late.flap, "H after the recovery");
    let higher = run.last("21").transition.unwrap();
    assert!(!higher.flap, "after an escalation");
}

#[test]
fn blindness_flaps_too() {
    let mut run = Run::of(policy(&["any a>10"]).missing(20, Some(1)));
    run.ticks("11 5*4");
    assert!(run.last("T*3").transition.unwrap().flap);
}

#[test]
fn past_the_limit_recovery_is_held_and_escalation_is_not() {
    let (mut run, decisions) = flapped(4);
    assert!(
        decisions
            .iter()
            .rev()
            .take(5)
            .all(|d| d.flapping && d.level == 1)
    );
    assert!(decisions[..15].iter().all(|d| !d.flapping));
    let held = decisions.last().unwrap();
    let release = run.memory.damping.release_at(&run.policy).unwrap();
    assert_eq!(held.blocker, Some(Blocker::Damped { until: release }));
    assert_eq!(held.next_change, Some(release));
    run.policy = policy(&["any a>10", "any a>20"]);
    run.memory.comparisons.push(ComparisonMemory::default());
    assert_eq!(run.last("21").level, 2);
}

#[test]
fn it_lets_go_below_750() {
    let (mut run, _) = flapped(4);
    let damping = run.memory.damping;
    let release = damping.release_at(&run.policy).unwrap();
    let before = release - Span::from_millis(1);
    assert!(damping.penalty_at(&run.policy, release) < 750.0);
    assert!(damping.penalty_at(&run.policy, before) >= 750.0);
    while at(run.seconds) < release {
        assert!(run.last("5").flapping);
    }
    let freed = run.last("5");
    assert_eq!((freed.flapping, freed.level), (false, 0));
}

#[test]
fn it_lets_go_after_an_hour() {
    let (mut run, _) = flapped(4);
    run.memory.damping.penalty = 1e6;
    let since = run.memory.damping.held_since.unwrap();
    let hour = Span::from_secs(3600);
    assert_eq!(
        run.memory.damping.release_at(&run.policy),
        Some(since + hour)
    );
    while at(run.seconds) < since + hour {
        assert!(run.last("5").flapping);
    }
    assert_eq!(run.last("5").level, 0);
}

#[test]
fn h_grows_with_the_ladder() {
    let mut run = Run::of(policy(&["any a>10", "any a>20"]));
    run.policy.recovery.after = Span::from_secs(300);
    run.memory.recovered_at = Some(at(0));
    run.seconds = 2 * 2 * 300 - 10;
    assert!(run.last("11").transition.unwrap().flap);
}

#[test]
fn the_limit_itself_does_not_hold() {
    for (penalty, held) in [(1000.0, false), (1000.1, true)] {
        let mut run = Run::of(policy(&["any a>10"]));
        run.memory.recovered_at = Some(at(-10));
        run.memory.damping.penalty = penalty;
        run.memory.damping.at = Some(at(0));
        assert_eq!(run.last("11").flapping, held, "{penalty} + 1000");
    }
}
