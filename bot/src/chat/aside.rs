//! What goes with an answer: an animation, a reaction. Luxury of its own tier, which an answer does without.

use std::pin::pin;
use std::time::Duration;

use brownout::policy::State;
use tokio::time::Instant;

use super::handlers::{Context, Failure};
use super::ticket::Ticket;
use super::{Animation, Chat};
use crate::features::Feature;
use crate::flags::Snapshot;
use crate::message::{Door, Message};
use crate::metrics::Outcome;

/// How long an answer that is ready waits for its animation. What is critical must not wait in luxury's queue.
const PATIENCE: Duration = Duration::from_millis(500);

impl Chat {
    /// Does what goes with an answer to this message, on a turn of its own tier, or not at all. `work` is
    /// told what there is of the feature.
    pub(crate) async fn aside<F>(
        &self,
        message: &Message,
        feature: Feature,
        work: impl FnOnce(State) -> F,
    ) where
        F: Future<Output = Outcome>,
    {
        let deadline = Instant::now() + self.deadline;
        let flags = self.flags.snapshot();
        let Some(ticket) = self.enter(message, feature, &flags, false) else {
            return;
        };
        let work = async {
            match work(flags.features.state(feature)).await {
                Outcome::Ok => Ok(()),
                outcome => Err(Failure::plain(outcome)),
            }
        };
        // its end is counted, and nobody waits for it
        let called_off = self.called_off(feature, message);
        ticket.work(deadline, called_off, work).await;
    }

    /// A place for the animation that goes with an answer; none where it is off or its queue full, nor
    /// where nobody would see it: a check is nobody's message, and on Discord nothing can be shown.
    pub(super) fn animation(&self, message: &Message, flags: &Snapshot) -> Option<Ticket<'_>> {
        let elsewhere = self.gateway.is_some();
        matches!(message.door, Door::Page | Door::Api)
            .then(|| self.enter(message, Feature::Animations, flags, elsewhere))?
    }

    /// An answer goes without an animation where there is no place for one.
    pub(super) async fn animate(
        &self,
        ticket: Option<Ticket<'_>>,
        context: Context<'_>,
    ) -> Option<Animation> {
        let work = self.do_animation(context);
        let called_off = self.called_off(Feature::Animations, context.message);
        let done = ticket?.work(context.deadline, called_off, work).await;
        done.result.ok()
    }

    /// An answer and its animation, side by side: an answer goes without one that is not there in time. Where the
    /// work is done elsewhere, the gateway has a patience of its own.
    pub(super) async fn celebrated<T>(
        &self,
        work: impl Future<Output = T>,
        animation: impl Future<Output = Option<Animation>>,
    ) -> (T, Option<Animation>) {
        let (mut work, mut animation) = (pin!(work), pin!(animation));
        let mut ready = None;
        let worked = loop {
            tokio::select! {
                worked = &mut work => break worked,
                done = &mut animation, if ready.is_none() => ready = Some(done),
            }
        };
        let animation = match ready {
            Some(animation) => animation,
            None if self.gateway.is_some() => animation.await,
            None => tokio::time::timeout(PATIENCE, animation)
                .await
                .ok()
                .flatten(),
        };
        (worked, animation)
    }

    /// Counts it in and gives it a place, unless it is off, stopped, or its queue is full.
    fn enter(
        &self,
        message: &Message,
        feature: Feature,
        flags: &Snapshot,
        elsewhere: bool,
    ) -> Option<Ticket<'_>> {
        let arrival = self.metrics.arrive(feature);
        if self.is_stopped(message) {
            arrival.end(Outcome::Stopped);
            return None;
        }
        if flags.features.state(feature) == State::Disabled {
            arrival.end(Outcome::Off);
            return None;
        }
        if elsewhere {
            return Some(Ticket::new(Some(arrival), None));
        }
        let Ok(place) = self.pools.enter(feature.tier()) else {
            arrival.end(Outcome::Shed);
            return None;
        };
        Some(Ticket::new(Some(arrival), Some(place)))
    }
}
