//! The timers of a policy after a restart, out of Prometheus' own memory.

use std::sync::Arc;

use super::context::Context;
use super::record::Record;
use super::restore::{self, Rebuilt};
use super::standing::{Phase, Standing};
use crate::decide::{Memory, Reading, Unknown};
use crate::policy::Policy;
use crate::prometheus::client::{Asker, Wait};
use crate::prometheus::poller::{PolicyKey, PollerHandle};
use crate::prometheus::signals::SignalQueries;
use crate::prometheus::tenancy::Tenant;
use crate::time::{Span, Time};

/// How many of the ticks between two regular ones are asked for again.
const MOST_EXTRA_TICKS: usize = 64;

/// How often the ticks that passed while the past was asked for are asked for in turn.
const MOST_CATCHING_UP: usize = 5;

/// The past is asked for in multiples of so many ticks, so that policies of one interval ask alike
/// and share the answers.
const TICKS_ALIKE: i64 = 64;

/// What is needed to rebuild, copied out of the standing.
struct Past {
    namespace: String,
    uid: String,
    generation: i64,
    tenant: Option<Tenant>,
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
    rebuild_from(&context, &key, &poller).await;
    drop(poller);
    context.sources.end_unasked();
}

async fn rebuild_from(context: &Context, key: &PolicyKey, poller: &PollerHandle) {
    let past = |standing: &mut Standing| Past::of(key, standing);
    let Some(past) = context.standings.with(key, past) else {
        return;
    };
    let mut replay = Replay::new(&past, context.now());
    replay.catch_up(poller, || context.now()).await;
    let rebuilt = Rebuilt {
        memory: replay.memory,
        unanswered: replay.unanswered,
        from: replay.from,
        to: replay.to,
    };
    context.standings.with(key, |standing| {
        // Meanwhile it may have been made anew, paused, or its spec become unusable.
        if standing.uid != past.uid {
            return;
        }
        standing.rebuilding = false;
        let current = standing.generation == past.generation && standing.tenant == past.tenant;
        if standing.phase == Phase::Restoring && current {
            standing.memory = restore::conclude(
                &standing.memory,
                rebuilt,
                past.unknown_since,
                past.record.blind.is_some(),
            );
            standing.remembered_unknown_since = None;
            standing.phase = Phase::Deciding;
        }
    });
    // The reconciler has it asked for from now on, or rebuilt again where its spec was edited.
    context.kick(key);
}

impl Past {
    fn of(key: &PolicyKey, standing: &mut Standing) -> Self {
        Self {
            namespace: key.namespace.clone(),
            uid: standing.uid.clone(),
            generation: standing.generation,
            tenant: standing.tenant.clone(),
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
struct Replay<'a> {
    past: &'a Past,
    /// The first tick.
    from: Time,
    /// The last one.
    to: Time,
    /// The timers.
    memory: Memory,
    /// The signals that nothing was said of.
    unanswered: Vec<bool>,
    /// When the last tick that was replayed would have asked again.
    due: Option<Time>,
    extra: usize,
}

impl<'a> Replay<'a> {
    fn new(past: &'a Past, now: Time) -> Self {
        let policy = &past.policy;
        let window = restore::window(policy, past.record.desired);
        Self {
            from: (now - window)
                .max(past.not_before)
                .next_tick(policy.interval),
            to: now.last_tick(policy.interval),
            memory: past.memory.clone(),
            unanswered: vec![true; policy.signals.len()],
            due: None,
            extra: 0,
            past,
        }
    }

    /// Replays until less than an interval is left: with many policies and a slow source, ticks pass
    /// while the past is asked for, and after two that are missing the timers would start anew.
    async fn catch_up(&mut self, poller: &PollerHandle, now: impl Fn() -> Time) {
        let interval = self.past.policy.interval;
        let (mut next, mut began) = (self.from, now());
        let mut wait = Wait::Patiently;
        for round in 0..=MOST_CATCHING_UP {
            let to = began.last_tick(interval);
            if next > to {
                return;
            }
            self.ticks(poller, wait, (next, to), began).await;
            // A source that says nothing says no more the next time, and one that is slower than the
            // ticks is never caught up with: deciding waits for neither.
            let (silent, mute) = (
                self.unanswered.iter().all(|unanswered| *unanswered),
                self.unanswered.iter().any(|unanswered| *unanswered),
            );
            let slow = now() - began > interval.times(4);
            if silent || (round > 0 && (mute || slow)) {
                return;
            }
            (next, began) = (to + interval, now());
            // What is missing now is what the ticks would ask: it does not stand behind the whole
            // past of all other policies.
            wait = Wait::InLine;
        }
    }

    /// Replays the ticks of a span, and the extra ones up to `now`.
    async fn ticks(
        &mut self,
        poller: &PollerHandle,
        wait: Wait,
        (from, to): (Time, Time),
        now: Time,
    ) {
        let past = self.past;
        let asker = Asker {
            circle: Some(&past.namespace),
            wait,
        };
        let first = wait == Wait::Patiently;
        let begin = if first {
            alike(from, to, past.policy.interval)
        } else {
            from
        };
        // a query that was silent is not waited for a second time
        let ask = |signal: usize| first || !self.unanswered[signal];
        let asked = all_of(&past.queries, ask);
        let range = poller.range(asker, &asked, begin, to, past.policy.interval);
        let mut ticks = range.await;
        ticks.retain(|(at, _)| *at >= from);
        for (_, readings) in &mut ticks {
            *readings = all_readings(self.unanswered.len(), ask, readings);
        }
        self.to = to;
        let unanswered = restore::unanswered(self.unanswered.len(), &ticks);
        for (all, these) in self.unanswered.iter_mut().zip(unanswered) {
            *all &= these;
        }
        for (at, readings) in ticks {
            self.ask_again(poller, asker, at).await;
            self.step(at, &readings);
        }
        self.ask_again(poller, asker, now).await;
    }

    /// The extra ticks before a time.
    async fn ask_again(&mut self, poller: &PollerHandle, asker: Asker<'_>, before: Time) {
        while let Some(again) = self
            .due
            .filter(|again| *again < before && self.extra < MOST_EXTRA_TICKS)
        {
            self.extra += 1;
            let observed = poller.instant(asker, &self.past.queries, again).await;
            let readings: Vec<Reading> = observed.iter().map(|observed| observed.reading).collect();
            self.step(again, &readings);
        }
    }

    fn step(&mut self, at: Time, readings: &[Reading]) {
        let (policy, record) = (&self.past.policy, &self.past.record);
        self.due = restore::replay(policy, record, &mut self.memory, at, readings);
    }
}

/// The queries of the signals that are to be asked.
fn all_of(queries: &[SignalQueries], ask: impl Fn(usize) -> bool) -> Vec<SignalQueries> {
    let asked = queries
        .iter()
        .enumerate()
        .filter(|(signal, _)| ask(*signal));
    asked.map(|(_, queries)| queries.clone()).collect()
}

/// The readings of those with the rest between them, which was not asked.
fn all_readings(signals: usize, ask: impl Fn(usize) -> bool, readings: &[Reading]) -> Vec<Reading> {
    let mut readings = readings.iter().copied();
    let mut next = || {
        readings
            .next()
            .unwrap_or(Reading::Unknown(Unknown::Timeout))
    };
    (0..signals)
        .map(|signal| {
            if ask(signal) {
                next()
            } else {
                Reading::Unknown(Unknown::Timeout)
            }
        })
        .collect()
}

/// The beginning of a span of a multiple of [`TICKS_ALIKE`] that has these ticks in it: policies with
/// other windows, or made at other times, ask for the same.
fn alike(from: Time, to: Time, interval: Span) -> Time {
    let ticks = (to - from).as_millis() / interval.as_millis().max(1);
    let rounded = (ticks / TICKS_ALIKE + 1) * TICKS_ALIKE;
    to - interval.times(rounded)
}

#[cfg(test)]
mod tests;
