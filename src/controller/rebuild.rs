//! The timers of a policy after a restart, out of Prometheus' own memory.

use std::sync::Arc;

use super::admit;
use super::context::Context;
use super::record::Record;
use super::restore::{self, Rebuilt};
use super::standing::{Phase, Standing};
use crate::decide::{Memory, Reading};
use crate::policy::Policy;
use crate::prometheus::poller::{PolicyKey, PollerHandle};
use crate::prometheus::signals::SignalQueries;
use crate::time::Time;

/// How many of the ticks between two regular ones are asked for again.
const MOST_EXTRA_TICKS: usize = 64;

/// What is needed to rebuild, copied out of the standing.
struct Past {
    generation: i64,
    policy: Arc<Policy>,
    queries: Arc<[SignalQueries]>,
    record: Record,
    memory: Memory,
    unknown_since: Option<Time>,
    not_before: Time,
}

/// Rebuilds a policy's timers and then has it decided on. A source that does not answer leaves the
/// timers at 0 and blindness as status remembers it.
pub async fn rebuild(context: Arc<Context>, key: PolicyKey, poller: PollerHandle) {
    let Some(past) = context.standings.with(&key, Past::of) else {
        return;
    };
    let rebuilt = replay(&past, &poller, context.now()).await;
    let current = context.standings.with(&key, |standing| {
        standing.rebuilding = false;
        let current = standing.generation == past.generation;
        if current {
            standing.memory = restore::conclude(
                &standing.memory,
                rebuilt,
                past.unknown_since,
                past.record.blind.is_some(),
            );
            standing.remembered_unknown_since = None;
        }
        // Meanwhile it may have been paused, or its spec become unusable.
        (standing.phase == Phase::Restoring).then_some(current)
    });
    let Some(Some(current)) = current else {
        return;
    };
    // Edited meanwhile, or its source has gone: the reconciler sees to it.
    if !current || admit::subscribe(&context, &key).is_err() {
        context.kick(&key);
    }
}

impl Past {
    fn of(standing: &mut Standing) -> Self {
        Self {
            generation: standing.generation,
            policy: Arc::clone(&standing.policy),
            queries: Arc::clone(&standing.queries),
            record: standing.record.clone(),
            memory: Memory::new(&standing.policy),
            unknown_since: standing.remembered_unknown_since,
            not_before: standing.created,
        }
    }
}

/// Replays the past ticks, and between them those that the decision itself would have asked for.
async fn replay(past: &Past, poller: &PollerHandle, now: Time) -> Rebuilt {
    let (policy, mut memory) = (&past.policy, past.memory.clone());
    let from = (now - restore::window(policy, past.record.desired))
        .max(past.not_before)
        .next_tick(policy.interval);
    let to = now.last_tick(policy.interval);
    if from > to {
        let unanswered = vec![true; policy.signals.len()];
        return Rebuilt {
            memory,
            unanswered,
            from,
            to,
        };
    }
    let ticks = poller.range(&past.queries, from, to, policy.interval).await;
    let unanswered = restore::unanswered(policy.signals.len(), &ticks);
    let mut extra = 0;
    for (at, readings) in ticks {
        let mut due = step(past, &mut memory, at, &readings);
        while let Some(again) =
            due.filter(|again| *again < (at + policy.interval).min(now) && extra < MOST_EXTRA_TICKS)
        {
            extra += 1;
            let observed = poller.instant(&past.queries, again).await;
            let readings: Vec<Reading> = observed.iter().map(|observed| observed.reading).collect();
            due = step(past, &mut memory, again, &readings);
        }
    }
    Rebuilt {
        memory,
        unanswered,
        from,
        to,
    }
}

fn step(past: &Past, memory: &mut Memory, at: Time, readings: &[Reading]) -> Option<Time> {
    restore::replay(&past.policy, &past.record, memory, at, readings)
}
