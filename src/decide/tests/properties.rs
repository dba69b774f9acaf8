//! What holds for every policy and every series.

use proptest::prelude::*;

use super::random::scenario;
use crate::decide::Unknown::{Empty, LowTraffic, NaN};
use crate::decide::{
    ComparisonMemory, Decision, Memory, Reading, Reason, decide, observe, sentence,
};
use crate::policy::{self, Comparison, LevelNumber, Policy, Quantifier};
use crate::time::{Span, Time};

/// Decides every tick, with what came of it and the memory after it.
fn run(policy: &Policy, ticks: &[(Time, Vec<Reading>)]) -> Vec<(Decision, Memory)> {
    let mut memory = Memory::new(policy);
    let tick = |(at, readings): &(Time, Vec<Reading>)| {
        let decision = decide(policy, readings, &mut memory, *at);
        (decision, memory.clone())
    };
    ticks.iter().map(tick).collect()
}

/// Whether each rung from a level up is clear now, on readings that say so.
fn rests_on_known(
    policy: &Policy,
    memory: &Memory,
    readings: &[Reading],
    from: LevelNumber,
) -> bool {
    let mut times = memory.comparisons.iter();
    let rungs = policy.levels.iter().enumerate().map(|(index, rung)| {
        let of = rung
            .when
            .comparisons
            .iter()
            .map(|c| (c, times.next().unwrap()));
        (index + 1, rung.when.quantifier, of.collect::<Vec<_>>())
    });
    let clear = |(c, of): &(&Comparison, &ComparisonMemory)| {
        let off = memory.signals[c.signal].feature_disabled;
        let known = match readings[c.signal] {
            Reading::Value(_) => true,
            Reading::Unknown(class) => {
                let hold = policy.signals[c.signal].low_traffic == policy::LowTraffic::Hold;
                let low = class == LowTraffic && !hold;
                low || (off && matches!(class, Empty | NaN | LowTraffic))
            }
        };
        known && of.clear_now()
    };
    rungs
        .filter(|(level, ..)| *level >= from)
        .all(|(_, quantifier, of)| match quantifier {
            Quantifier::Any => of.iter().all(clear),
            Quantifier::All => of.iter().any(clear),
        })
}

proptest! {
    #[test]
    fn no_recovery_rests_on_an_unknown((policy, ticks) in scenario()) {
        for ((decision, memory), (_, readings)) in run(&policy, &ticks).iter().zip(&ticks) {
            if let Some(down) = decision.transition.filter(|t| t.reason == Reason::Recovered) {
                prop_assert!(rests_on_known(&policy, memory, readings, down.from));
                prop_assert_eq!(decision.blind, None);
            }
        }
    }

    #[test]
    fn up_by_any_number_down_by_one((policy, ticks) in scenario()) {
        let mut before = 0;
        for (decision, _) in run(&policy, &ticks) {
            match decision.transition {
                None => prop_assert_eq!(decision.level, before),
                Some(t) => {
                    prop_assert_eq!((t.from, t.to), (before, decision.level));
                    let down = t.reason == Reason::Recovered;
                    prop_assert!((down && t.to + 1 == t.from) || (!down && t.to > t.from));
                    prop_assert!(!(down && t.flap));
                }
            }
            prop_assert!(decision.level <= policy.top());
            before = decision.level;
        }
    }

    #[test]
    fn more_level_never_means_more_features((policy, _) in scenario()) {
        prop_assert_eq!(policy.states.len(), policy.top() + 1);
        for pair in policy.states.windows(2) {
            prop_assert!(pair[0].iter().zip(&pair[1]).all(|(below, above)| below <= above));
        }
    }

    #[test]
    fn a_run_split_in_two_is_the_same_run((policy, ticks) in scenario(), at in any::<prop::sample::Index>()) {
        let whole = run(&policy, &ticks);
        let split = at.index(ticks.len());
        let saved = serde_json::to_string(&whole[split].1).unwrap();
        let mut memory: Memory = serde_json::from_str(&saved).unwrap();
        for ((at, readings), expected) in ticks[split + 1..].iter().zip(&whole[split + 1..]) {
            let decision = decide(&policy, readings, &mut memory, *at);
            prop_assert_eq!(&(decision, memory.clone()), expected);
        }
        prop_assert_eq!(run(&policy, &ticks), whole, "the same input gives the same output");
    }

    #[test]
    fn a_restart_rebuilds_the_times_by_observing((policy, ticks) in scenario()) {
        let mut rebuilt = Memory::new(&policy);
        for ((decision, memory), (at, readings)) in run(&policy, &ticks).iter().zip(&ticks) {
            observe(&policy, readings, &mut rebuilt, *at);
            prop_assert_eq!(&rebuilt.comparisons, &memory.comparisons);
            prop_assert_eq!(&rebuilt.signals, &memory.signals);
            prop_assert_eq!(rebuilt.last_blind, memory.last_blind);
            prop_assert_eq!((rebuilt.level, rebuilt.since), (0, None), "no transition");
            rebuilt.applied = memory.applied;
            prop_assert_eq!(decision.applied, memory.applied.unwrap_or(0));
        }
    }

    #[test]
    fn asked_again_before_next_change_it_decides_the_same(
        (policy, ticks) in scenario(),
        asks in prop::collection::vec(0.0..1.0_f64, 4),
    ) {
        for ((decision, memory), (now, readings)) in run(&policy, &ticks).iter().zip(&ticks) {
            let far = *now + Span::from_secs(100);
            let until = decision.next_change.unwrap_or(far).min(far);
            prop_assert!(until > *now);
            let mut memory = memory.clone();
            let mut asked: Vec<Time> = asks.iter().map(|part| between(*now, until, *part)).collect();
            asked.sort();
            for at in asked.into_iter().filter(|at| at > now) {
                let again = decide(&policy, readings, &mut memory, at);
                prop_assert_eq!(again.level, decision.level, "at {} of {}", at, until);
            }
        }
    }

    #[test]
    fn asked_again_at_next_change_something_changes((policy, ticks) in scenario()) {
        for ((decision, memory), (now, readings)) in run(&policy, &ticks).iter().zip(&ticks) {
            let regular = now.next_tick(policy.interval);
            // a level just applied may answer for a signal that was about to be blind
            let quiet = decision.transition.is_none();
            if let Some(at) = decision.next_change.filter(|&at| quiet && at < regular) {
                let mut memory = memory.clone();
                let before = (memory.level, memory.damping.held_since, blind_signals(&policy, &memory, *now));
                decide(&policy, readings, &mut memory, at);
                let after = (memory.level, memory.damping.held_since, blind_signals(&policy, &memory, at));
                prop_assert_ne!(before, after, "an ask in vain at {}", at);
            }
        }
    }

    #[test]
    fn a_sentence_says_something((policy, ticks) in scenario(), pin in prop::option::of(0..4_usize)) {
        for ((decision, mut memory), (_, readings)) in run(&policy, &ticks).into_iter().zip(&ticks) {
            memory.pinned = pin;
            prop_assert!(sentence(&policy, readings, &memory, &decision).len() > 10);
            prop_assert_eq!(decision.blocker.is_none(), decision.level == 0);
        }
    }
}

fn between(from: Time, until: Time, part: f64) -> Time {
    #[allow(clippy::cast_possible_truncation)] // spans of seconds
    let millis = ((until - from).as_secs_f64() * 1000.0 * part) as i64;
    from + Span::from_millis(millis)
}

fn blind_signals(policy: &Policy, memory: &Memory, now: Time) -> Vec<bool> {
    let blind = |since: Option<Time>| since.is_some_and(|s| now - s >= policy.missing.after);
    memory
        .signals
        .iter()
        .map(|s| blind(s.unknown_since))
        .collect()
}
