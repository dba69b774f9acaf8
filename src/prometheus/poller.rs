//! One task per source, which asks for all policies at once.
//!
//! Guarantees:
//! - policies of one interval tick together, at the multiples of the interval since the Unix epoch
//!   and on one evaluation time; a query that several of them share is asked once
//! - never more than `max_concurrent_queries` are under way, and of one namespace never more than half
//!   of them: its slow queries leave the others their turns
//! - a policy's observation is sent when its own queries are answered, with `Timeout` for those that
//!   are not by min(timeout, interval); the observations of a policy come in the order of their times
//! - a tick that is over before it could begin is left out, never made up for
//!
//! Where the clock is set back, ticks go on at the times it then tells, which come a second time.

mod actor;
mod counsel;
mod past;
mod round;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use tokio::sync::mpsc;

use super::access::Access;
use super::advice::{Advice, Threshold};
use super::answer::Answer;
use super::client::{Asker, BadSource, Client};
use super::clock::Clock;
use super::metrics::PollerMetrics;
use super::observed::{Observed, combine};
use super::signals::SignalQueries;
use super::source::Source;
use crate::decide::Reading;
use crate::time::{Span, Time};
use actor::{Actor, Command};
use past::Past;
use round::Questions;

/// Which policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// What a policy wants to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// The distance between two ticks.
    pub interval: Span,
    /// What to ask at each.
    pub signals: Arc<[SignalQueries]>,
    /// The thresholds that its readings are held against, for advice.
    pub thresholds: Arc<[Threshold]>,
}

/// Tells one subscription of a policy from the next, so that what was asked for an older spec is
/// not taken for an answer to the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(u64);

/// What a poller says.
#[derive(Clone, Debug, PartialEq)]
pub enum PollerEvent {
    /// A policy's tick.
    Observation(Observation),
    /// All that there is to know about a policy's signals now; what was said before is over. Said
    /// a while after a subscription, when a bot that came with it has series, and about once an hour.
    Advice {
        /// Which policy.
        key: PolicyKey,
        /// For which of its subscriptions.
        subscription: SubscriptionId,
        /// In the order of the signals; empty where all is well.
        advice: Vec<Advice>,
    },
}

/// What the signals of a policy gave at a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Which policy.
    pub key: PolicyKey,
    /// For which of its subscriptions.
    pub subscription: SubscriptionId,
    /// The tick, not the moment of the answer.
    pub at: Time,
    /// One per signal, in their order.
    pub readings: Vec<Observed>,
}

/// Starts pollers.
#[derive(Debug)]
pub struct Poller;

/// A running poller. It ends when the last clone of its handle is dropped, or the receiver is.
#[derive(Clone)]
pub struct PollerHandle {
    client: Arc<Client>,
    // unbounded: a full one would let a slow receiver of events lock itself out
    commands: mpsc::UnboundedSender<Command>,
    past: Past,
}

/// Every subscription of this process has its own id: one at a new poller is not taken for one at
/// the poller before it.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Poller {
    /// Starts asking a source; what comes of it goes to `out`. A receiver that falls behind slows
    /// the poller down, which then leaves ticks out.
    ///
    /// # Errors
    ///
    /// Where the source cannot be asked at all.
    pub fn spawn(
        source: Source,
        access: Access,
        out: mpsc::Sender<PollerEvent>,
        metrics: PollerMetrics,
        clock: impl Clock,
    ) -> Result<PollerHandle, BadSource> {
        let client = Arc::new(Client::with_access(source, access, metrics.clone())?);
        let (commands, received) = mpsc::unbounded_channel();
        let actor = Actor::new(Arc::clone(&client), out, metrics, clock);
        tokio::spawn(actor.run(received));
        Ok(PollerHandle {
            client,
            commands,
            past: Past::default(),
        })
    }
}

impl PollerHandle {
    /// Has a policy asked for at its ticks from now on, instead of what was asked for it before.
    pub fn subscribe(&self, key: PolicyKey, to: Subscription) -> SubscriptionId {
        let id = SubscriptionId(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        self.tell(Command::Subscribe(key, id, to));
        id
    }

    /// Stops asking for a policy.
    pub fn unsubscribe(&self, key: &PolicyKey) {
        self.tell(Command::Unsubscribe(key.clone()));
    }

    /// One extra tick for this policy alone; replaces an earlier one that has not begun. A time that
    /// is one of its regular ticks, or not later than its last tick, asks nothing; another one that
    /// is past already is asked for at once.
    pub fn ask_at(&self, key: &PolicyKey, at: Time) {
        self.tell(Command::AskAt(key.clone(), at));
    }

    /// What the signals gave at each time from `from` to `to`, for rebuilding a policy's timers. An
    /// answer that an engine warning puts in doubt is Unknown as a whole. Policies of a namespace that
    /// ask for the same soon after one another share the answers.
    pub async fn range(
        &self,
        asker: Asker<'_>,
        signals: &[SignalQueries],
        from: Time,
        to: Time,
        step: Span,
    ) -> Vec<(Time, Vec<Reading>)> {
        let questions = Questions::of(signals);
        let delay = self.client.source().evaluation_delay;
        let ask = |query| {
            let span = (from - delay, to - delay, step);
            self.past.range(&self.client, asker, query, span)
        };
        let answers = join_all(questions.queries().iter().map(ask)).await;
        let Some(first) = answers.first() else {
            return Vec::new();
        };
        let at = |n: usize| {
            let reading = |query: usize| answers[query].points[n].1;
            questions.readings(signals, |value, count| {
                combine(
                    reading(value),
                    count.map(|(count, least)| (reading(count), least)),
                )
            })
        };
        let times = first.points.iter().enumerate();
        times.map(|(n, (time, _))| (*time + delay, at(n))).collect()
    }

    /// What the signals gave at one time.
    pub async fn instant(
        &self,
        asker: Asker<'_>,
        signals: &[SignalQueries],
        at: Time,
    ) -> Vec<Observed> {
        let questions = Questions::of(signals);
        let at = at - self.client.source().evaluation_delay;
        let ask = |query| self.client.instant_as(asker, query, at);
        let answers: Vec<Answer> = join_all(questions.queries().iter().map(ask)).await;
        questions.readings(signals, |value, count| {
            Observed::new(
                &answers[value],
                count.map(|(count, least)| (&answers[count], least)),
            )
        })
    }

    /// Asks with other credentials or authorities from now on. Ticks, and what is under way, go on.
    ///
    /// # Errors
    ///
    /// Where the source could not be asked with these; it goes on with those it had.
    pub fn set_access(&self, access: Access) -> Result<(), BadSource> {
        self.client.set_access(access)
    }

    /// Whether somebody else has a handle of this poller, too.
    pub fn is_shared(&self) -> bool {
        self.commands.strong_count() > 1
    }

    fn tell(&self, command: Command) {
        // an error says that the poller has ended, as it does with its receiver
        let _ = self.commands.send(command);
    }
}
