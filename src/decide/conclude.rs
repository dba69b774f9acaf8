//! The second half of a tick: times into at most one transition.

use super::blindness::Blindness;
use super::damping::half_life;
use super::decision::{Cause, Decision, Reason, Transition};
use super::memory::Memory;
use super::observe::{Counted, feature_disabled};
use super::outlook::{self, Outlook};
use super::reading::Reading;
use super::rung::{Rung, rungs};
use crate::policy::{LevelNumber, Mode, Policy};
use crate::time::Time;

/// Concludes a tick whose readings have been counted.
pub(super) fn conclude(
    policy: &Policy,
    readings: &[Reading],
    memory: &mut Memory,
    counted: Counted,
    now: Time,
) -> Decision {
    let blind = counted.blind;
    memory.damping.release_when_due(policy, now);
    let mut transition = escalation(policy, readings, memory, counted, now);
    if let Some(escalation) = &transition {
        carry_out(policy, memory, escalation, now);
    }
    let mut recovery = outlook_of(policy, memory, blind, now);
    if transition.is_none() && memory.level > 0 && recovery.blocker.is_none() {
        let down = recovered(memory.level);
        carry_out(policy, memory, &down, now);
        transition = Some(down);
        recovery = outlook_of(policy, memory, blind, now);
    }
    let before = memory.applied;
    memory.applied = applied(policy, memory);
    let mut next_change = outlook::next_change(policy, memory, counted, recovery, now);
    if before != memory.applied && moves_a_room(policy, memory) {
        let next_tick = now.next_tick(policy.interval);
        next_change = Some(next_change.map_or(next_tick, |at| at.min(next_tick)));
    }
    Decision {
        at: now,
        level: memory.level,
        applied: memory.applied.unwrap_or(0),
        transition,
        reason: match &transition {
            Some(transition) => transition.reason,
            None if memory.level == 0 => Reason::Normal,
            None => Reason::Holding,
        },
        blind: blind.signal,
        flapping: memory.damping.held_since.is_some(),
        blocker: recovery.blocker,
        next_change,
    }
}

/// The way up, where a rung above the present level fires.
fn escalation(
    policy: &Policy,
    readings: &[Reading],
    memory: &Memory,
    Counted { breached, blind }: Counted,
    now: Time,
) -> Option<Transition> {
    let above = || rungs(policy, &memory.comparisons).skip(memory.level);
    let highest = breached
        .then(|| above().filter(|rung| rung.fires()).last())
        .flatten();
    let by_blindness = blind
        .level(policy)
        .filter(|&level| level > memory.level && highest.is_none_or(|rung| rung.level < level));
    let (to, reason, cause, signal) = match (by_blindness, highest) {
        (Some(level), _) => (level, Reason::Blind, None, blind.signal),
        (None, Some(rung)) => {
            let cause = cause(policy, readings, rung);
            let signal = cause.and_then(|cause| policy.comparison(cause.level, cause.comparison));
            (
                rung.level,
                Reason::Escalated,
                cause,
                signal.map(|c| c.signal),
            )
        }
        (None, None) => return None,
    };
    let flap = memory
        .recovered_at
        .is_some_and(|recovered| now - recovered < half_life(policy));
    Some(Transition {
        from: memory.level,
        to,
        reason,
        cause,
        signal,
        flap,
    })
}

fn cause(policy: &Policy, readings: &[Reading], rung: Rung<'_>) -> Option<Cause> {
    let (level, comparison) = (rung.level, rung.first_firing()?);
    let signal = policy.comparison(level, comparison)?.signal;
    let value = readings.get(signal)?.value()?;
    Some(Cause {
        level,
        comparison,
        value,
    })
}

fn recovered(from: LevelNumber) -> Transition {
    Transition {
        from,
        to: from.saturating_sub(1),
        reason: Reason::Recovered,
        cause: None,
        signal: None,
        flap: false,
    }
}

fn carry_out(policy: &Policy, memory: &mut Memory, transition: &Transition, now: Time) {
    if transition.flap {
        memory.damping.count_flap(policy, now);
    }
    memory.level = transition.to;
    memory.since = Some(now);
    memory.recovered_at = (transition.reason == Reason::Recovered).then_some(now);
}

fn outlook_of(policy: &Policy, memory: &Memory, blind: Blindness, now: Time) -> Outlook {
    if memory.level == 0 {
        return Outlook::default();
    }
    outlook::recovery(policy, memory, blind, now)
}

fn applied(policy: &Policy, memory: &Memory) -> Option<LevelNumber> {
    let wanted = memory.pinned.unwrap_or(memory.level);
    let most = policy.max_level.unwrap_or(wanted);
    (policy.mode != Mode::DryRun).then_some(wanted.min(most))
}

/// Whether the level now applied opens or shuts a room that a signal measures.
fn moves_a_room(policy: &Policy, memory: &Memory) -> bool {
    let signals = policy.signals.iter().zip(&memory.signals);
    signals
        .into_iter()
        .any(|(signal, of)| feature_disabled(policy, signal, memory.applied) != of.feature_disabled)
}
