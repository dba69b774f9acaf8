//! What goes with an answer: an animation, a reaction. Luxury of its own tier, which an answer does without.

use brownout::policy::State;
use tokio::time::Instant;

use super::handlers::{Context, Failure};
use super::ticket::Ticket;
use super::{Animation, Chat};
use crate::features::Feature;
use crate::flags::Snapshot;
use crate::message::{Door, Message};
use crate::metrics::Outcome;

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

    /// A place for the animation that goes with an answer; none where it is off or its queue full. A
    /// check is nobody's message, so there is nothing to celebrate.
    pub(super) fn animation(&self, message: &Message, flags: &Snapshot) -> Option<Ticket<'_>> {
        let elsewhere = self.gateway.is_some();
        (message.door != Door::Check)
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
