//! The core: a message in, an answer out, whatever door it came through.

mod aside;
mod declined;
mod execution;
pub(crate) mod handlers;
mod reply;
mod ticket;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use brownout::policy::{State, Tier};
use tokio::time::Instant;

pub(crate) use reply::{Animation, Reply};

use crate::ask::Ask;
use crate::features::Feature;
use crate::flags::{FlagStore, Snapshot};
use crate::jobs::Gateway;
use crate::logs::Logs;
use crate::manners::{self, Manners};
use crate::message::{Door, Message};
use crate::metrics::{Metrics, Outcome};
use crate::pools::{Place, Pools};
use declined::Declined;
use handlers::{Context, Failure, Services};
use ticket::Ticket;
use visit::Visit;

/// Answers messages.
pub(crate) struct Chat {
    pub(crate) flags: Arc<FlagStore>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) services: Arc<Services>,
    pub(crate) manners: Arc<Manners>,
    pub(crate) logs: Logs,
    /// How long an answer may take.
    pub(crate) deadline: Duration,
    /// To those who do the work, where that is not this process.
    pub(crate) gateway: Option<Arc<Gateway>>,
}

impl Chat {
    /// Answers one message, by the flags as they are now. Where there is no reply, nothing is to be said:
    /// the message asked for that, or its person was told already to wait.
    ///
    /// The answer carries its animation, so it waits a moment for it too; both share one deadline, which the
    /// time in the queue counts toward.
    pub(crate) async fn answer(&self, typed: &Message) -> (Outcome, Option<Reply>) {
        let mut visit = Visit::begin(&self.manners, &self.logs, typed);
        let deadline = Instant::now() + self.deadline;
        let message = manners::cleaned(typed);
        // without what was cleaned away, others see it begin with the word
        if [typed, &message]
            .iter()
            .any(|said| manners::is_ignored(&said.text))
        {
            return (visit.end(Outcome::Ignored, "asked"), None);
        }
        let ask = Ask::of(&message.text);
        let feature = ask.feature();
        visit.feature = Some(feature);
        let flags = self.flags.snapshot();
        self.note(&message, &flags);
        let arrival = self.metrics.arrive(feature);
        let place = match self.admit(typed, &message, &ask, &flags) {
            Ok(place) => place,
            Err(declined) => {
                arrival.end(declined.outcome);
                let outcome = visit.end(declined.outcome, declined.cause);
                return (outcome, declined.reply(feature));
            }
        };
        let ticket = Ticket::new(Some(arrival), place);
        let animation = self.animation(&message, &flags);
        let context = Context {
            message: &message,
            flags: &flags,
            deadline,
        };
        let work = ticket.work(
            deadline,
            self.called_off(feature, &message),
            self.do_answer(&ask, context),
        );
        let (worked, animation) = self
            .celebrated(work, self.animate(animation, context))
            .await;
        visit.queue = worked.queue;
        let reduced = flags.features.state(feature) == State::Reduced;
        match worked.result {
            Ok(text) => {
                let reply = Reply::ok(&text, feature, reduced, animation);
                (visit.end(Outcome::Ok, "answered"), Some(reply))
            }
            Err(Failure { outcome, text, .. }) => {
                let mut reply = Reply::declined(outcome, feature);
                if let Some(text) = text {
                    reply = reply.saying(&text);
                }
                (visit.end(outcome, worked.cause), Some(reply))
            }
        }
    }

    /// Everything that is decided at once, in this order. Whoever is let in has a turn or a place in the
    /// queue; none where the work is done elsewhere, and waits there.
    fn admit(
        &self,
        typed: &Message,
        message: &Message,
        ask: &Ask,
        flags: &Snapshot,
    ) -> Result<Option<Place>, Declined> {
        let feature = ask.feature();
        // before all that is answered: a refusal is an answer too, and as loud
        self.manners.admit(message, feature)?;
        self.manners.check(typed, message)?;
        if feature.tier() != Tier::Critical && self.is_stopped(message) {
            return Err(Declined::new(Outcome::Stopped, "stopped"));
        }
        if flags.features.state(feature) == State::Disabled {
            return Err(Declined::new(Outcome::Off, "feature-off"));
        }
        // what a moderator orders waits behind nobody: it is needed most when every place is taken
        let order = feature == Feature::Moderation && message.author.moderator;
        if order || self.elsewhere(ask).is_some() {
            return Ok(None);
        }
        let place = self.pools.enter(feature.tier());
        place
            .map(Some)
            .map_err(|_full| Declined::new(Outcome::Shed, "queue-full"))
    }

    /// Whether the moderators have stopped the bot there.
    fn is_stopped(&self, message: &Message) -> bool {
        let guild = message.place.guild.as_deref();
        self.services.stops.of(guild).is_some()
    }

    /// Resolves when a request need not wait any longer, since its feature was switched off or the
    /// moderators have stopped the bot; with why, in a word out of few.
    async fn called_off(&self, feature: Feature, message: &Message) -> (Outcome, &'static str) {
        let stopped = async {
            match feature.tier() {
                Tier::Critical => std::future::pending().await,
                Tier::Important | Tier::Luxury => {
                    let guild = message.place.guild.as_deref();
                    self.services.stops.until_stopped(guild).await;
                }
            }
        };
        tokio::select! {
            biased;
            () = self.flags.until_off(feature) => (Outcome::Off, "feature-off"),
            () = stopped => (Outcome::Stopped, "stopped"),
        }
    }

    /// Notes that somebody is here. A check is nobody.
    fn note(&self, message: &Message, flags: &Snapshot) {
        let counted = flags.features.state(Feature::Analytics) != State::Disabled;
        if counted && message.door != Door::Check {
            self.services.activity.note(message);
        }
    }
}

#[cfg(test)]
mod tests;
