//! Where the work of a request is done: here, or by a worker that gets it from the queue.

use brownout::policy::{State, Tier};
use tokio::time::Instant;

use super::handlers::{self, Context, Failure};
use super::ticket::Ticket;
use super::{Animation, Chat};
use crate::ask::Ask;
use crate::features::Feature;
use crate::jobs::{Gateway, Verdict};
use crate::message::Message;
use crate::metrics::Outcome;

impl Chat {
    /// The gateway through which a feature's work is done, unless it is done here: always where there is no
    /// queue, and what needs no worker in any case, so that it is answered also while the queue is away.
    pub(super) fn elsewhere(&self, ask: &Ask) -> Option<&Gateway> {
        self.gateway.as_deref().filter(|_| ask.needs_worker())
    }

    pub(super) async fn do_answer(
        &self,
        ask: &Ask,
        context: Context<'_>,
    ) -> Result<String, Failure> {
        let Some(gateway) = self.elsewhere(ask) else {
            return handlers::answer(&self.services, ask, context).await;
        };
        let feature = ask.feature();
        let called_off = self.called_off(feature, context.message);
        let performed = gateway.perform(context.message, feature, context.deadline, called_off);
        // it is large, and where the work is done here nobody needs it
        let performed = Box::pin(performed);
        let verdict = performed.await;
        match (verdict.outcome, verdict.text) {
            (Outcome::Ok, Some(text)) => Ok(text),
            (outcome, text) => Err(Failure {
                outcome,
                text,
                at_once: verdict.at_once,
            }),
        }
    }

    pub(super) async fn do_animation(&self, context: Context<'_>) -> Result<Animation, Failure> {
        let feature = Feature::Animations;
        let Some(gateway) = self.gateway.as_deref() else {
            let reduced = context.flags.features.state(feature) == State::Reduced;
            return handlers::animation(&self.services, reduced).await;
        };
        let called_off = self.called_off(feature, context.message);
        let performed = gateway.perform(context.message, feature, context.deadline, called_off);
        // it is large, and where the work is done here nobody needs it
        let performed = Box::pin(performed);
        let verdict = performed.await;
        verdict
            .animation
            .ok_or_else(|| Failure::plain(verdict.outcome))
    }

    /// Does a job of the queue, on a turn of its tier's pool. Its gateway has counted it as a request.
    pub(crate) async fn perform(
        &self,
        message: &Message,
        feature: Feature,
        deadline: Instant,
    ) -> Verdict {
        let ask = Ask::of(&message.text);
        // a job for less than its text asks for would get past flags and tiers, and orders of moderators,
        // whom only a door can know, never come this way
        let answers = ask.feature() == feature && ask.needs_worker();
        if !answers && feature != Feature::Animations {
            tracing::warn!(feature = feature.name(), "a job that no gateway makes");
            return Verdict::plain(Outcome::Refused);
        }
        let flags = self.flags.snapshot();
        if flags.features.state(feature) == State::Disabled {
            return Verdict::plain(Outcome::Off);
        }
        if feature.tier() != Tier::Critical && self.is_stopped(message) {
            return Verdict::plain(Outcome::Stopped);
        }
        let Ok(place) = self.pools.enter(feature.tier()) else {
            return Verdict::plain(Outcome::Shed);
        };
        let ticket = Ticket::new(None, Some(place));
        let called_off = self.called_off(feature, message);
        let context = Context {
            message,
            flags: &flags,
            deadline,
        };
        if feature == Feature::Animations {
            let work = self.do_animation(context);
            let done = ticket.work(deadline, called_off, work).await;
            return verdict(done.result.map(|animation| (None, Some(animation))));
        }
        let work = self.do_answer(&ask, context);
        let done = ticket.work(deadline, called_off, work).await;
        verdict(done.result.map(|text| (Some(text), None)))
    }
}

fn verdict(done: Result<(Option<String>, Option<Animation>), Failure>) -> Verdict {
    match done {
        Ok((text, animation)) => Verdict {
            text,
            animation,
            ..Verdict::plain(Outcome::Ok)
        },
        Err(failure) => Verdict {
            text: failure.text,
            at_once: failure.at_once,
            ..Verdict::plain(failure.outcome)
        },
    }
}
