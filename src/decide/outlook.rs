//! What is to come: what keeps a level from being taken back, and when the decision could change.

use super::blindness::Blindness;
use super::decision::Blocker;
use super::memory::Memory;
use super::observe::Counted;
use super::rung::rungs;
use crate::policy::{LevelNumber, Policy};
use crate::time::{Span, Time};

/// Whether the present level can be taken back by one rung.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outlook {
    /// The first thing that forbids it; `None` where nothing does.
    pub(super) blocker: Option<Blocker>,
    /// When nothing will forbid it any more, if every reading stays as it is.
    pub(super) due: Option<Time>,
}

/// The outlook of a level above Normal, at a tick whose readings have been counted.
pub(super) fn recovery(policy: &Policy, memory: &Memory, blind: Blindness, now: Time) -> Outlook {
    if let Some(signal) = blind.signal {
        return Outlook {
            blocker: Some(Blocker::Blind { signal }),
            due: None,
        };
    }
    let after = policy.recovery.after;
    let not_clear = least_clear(policy, memory, now);
    if let Some(Blocker::NotClear { until: None, .. }) = not_clear {
        return Outlook {
            blocker: not_clear,
            due: None,
        };
    }
    let later = |at: Option<Time>| at.map(|at| at + after).filter(|&until| until > now);
    let standing = later(memory.since);
    let blind_before = later(memory.last_blind);
    let damped = memory.damping.release_at(policy);
    let blocker = not_clear
        .or(standing.map(|until| Blocker::Standing { until }))
        .or(blind_before.map(|until| Blocker::BlindBefore { until }))
        .or(damped.map(|until| Blocker::Damped { until }));
    let clear = match not_clear {
        Some(Blocker::NotClear { until, .. }) => until,
        _ => None,
    };
    Outlook {
        blocker,
        due: clear.max(standing).max(blind_before).max(damped),
    }
}

/// The rung, of those from the present level up, that has furthest to go until it has been clear
/// for long enough; `None` where all have.
fn least_clear(policy: &Policy, memory: &Memory, now: Time) -> Option<Blocker> {
    let after = policy.recovery.after;
    let mut worst: Option<(LevelNumber, usize, Span)> = None;
    for rung in rungs(policy, &memory.comparisons).skip(memory.level.saturating_sub(1)) {
        let clearness = rung.clearness();
        let (level, comparison) = (rung.level, clearness.comparison);
        let Some(clear_for) = clearness.clear_for else {
            return Some(Blocker::NotClear {
                level,
                comparison,
                until: None,
            });
        };
        if clear_for < after && worst.is_none_or(|(_, _, least)| clear_for < least) {
            worst = Some((level, comparison, clear_for));
        }
    }
    worst.map(|(level, comparison, clear_for)| Blocker::NotClear {
        level,
        comparison,
        until: Some(now + (after - clear_for)),
    })
}

/// The earliest of: a rung above the level firing, a signal becoming blind, recovery falling due,
/// damping letting go.
pub(super) fn next_change(
    policy: &Policy,
    memory: &Memory,
    Counted { breached, blind }: Counted,
    recovery: Outlook,
    now: Time,
) -> Option<Time> {
    let rising = || {
        let above = rungs(policy, &memory.comparisons).skip(memory.level);
        above.filter_map(|rung| rung.fires_at(now)).min()
    };
    [
        breached.then(rising).flatten(),
        blind.onset,
        recovery.due,
        memory.damping.release_at(policy),
    ]
    .into_iter()
    .flatten()
    .min()
}
