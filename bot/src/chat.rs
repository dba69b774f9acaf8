//! The core: a message in, an answer out, whatever door it came through.

pub(crate) mod handlers;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use brownout::policy::{State, Tier};
use tokio::time::Instant;

pub(crate) use reply::{Animation, Reply};

use crate::ask::Ask;
use crate::features::Feature;
use crate::flags::{FlagStore, Snapshot};
use crate::message::Message;
use crate::metrics::{Arrival, Metrics, Outcome};
use crate::pools::{Place, Pools};
use handlers::{Context, Failure, Services};

/// Answers messages.
pub(crate) struct Chat {
    flags: Arc<FlagStore>,
    metrics: Arc<Metrics>,
    pools: Arc<Pools>,
    services: Arc<Services>,
    deadline: Duration,
}

/// A request that was let in: it has a turn or a place in a queue.
struct Ticket<'a> {
    feature: Feature,
    arrival: Arrival<'a>,
    place: Place,
}

impl Chat {
    pub(crate) fn new(
        flags: Arc<FlagStore>,
        metrics: Arc<Metrics>,
        pools: Arc<Pools>,
        services: Arc<Services>,
        deadline: Duration,
    ) -> Self {
        Self {
            flags,
            metrics,
            pools,
            services,
            deadline,
        }
    }

    /// Answers one message, by the flags as they are now. The answer carries its animation, so it
    /// waits for it too; both share one deadline, which the time in the queue counts toward.
    pub(crate) async fn answer(&self, message: &Message) -> (Outcome, Reply) {
        let deadline = Instant::now() + self.deadline;
        let flags = self.flags.snapshot();
        let ask = Ask::of(&message.text);
        let feature = ask.feature();
        if flags.features.state(Feature::Analytics) != State::Disabled {
            self.services.activity.note(message);
        }
        let guild = message.place.guild.as_deref();
        let stopped = self.services.stops.of(guild).is_some();
        let ticket = match self.enter(feature, &flags, stopped) {
            Ok(ticket) => ticket,
            Err(outcome) => return (outcome, Reply::declined(outcome, feature)),
        };
        let animation = self.enter(Feature::Animations, &flags, stopped).ok();
        let context = Context {
            message,
            flags: &flags,
            deadline,
        };
        let (answered, animation) = tokio::join!(
            ticket.work(
                deadline,
                &self.flags,
                handlers::answer(&self.services, &ask, context)
            ),
            self.animate(animation, context)
        );
        let reduced = flags.features.state(feature) == State::Reduced;
        match answered {
            Ok(text) => (Outcome::Ok, Reply::ok(text, feature, reduced, animation)),
            Err(Failure { outcome, text }) => {
                let mut reply = Reply::declined(outcome, feature);
                if let Some(text) = text {
                    reply.answer = text;
                }
                (outcome, reply)
            }
        }
    }

    /// Does what goes with an answer to this message, such as a reaction, on a turn of its own tier, or not at all.
    /// `work` is told what there is of the feature.
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
        let guild = message.place.guild.as_deref();
        let stopped = self.services.stops.of(guild).is_some();
        let Ok(ticket) = self.enter(feature, &flags, stopped) else {
            return;
        };
        let work = async {
            match work(flags.features.state(feature)).await {
                Outcome::Ok => Ok(()),
                outcome => Err(Failure::plain(outcome)),
            }
        };
        // its end is counted, and nobody waits for it
        let _ = ticket.work(deadline, &self.flags, work).await;
    }

    /// Counts the request in and gives it a place, unless the feature is off or the queue full.
    /// Where a moderator has stopped the bot, only what is critical gets one.
    fn enter(
        &self,
        feature: Feature,
        flags: &Snapshot,
        stopped: bool,
    ) -> Result<Ticket<'_>, Outcome> {
        let arrival = self.metrics.arrive(feature);
        if stopped && feature.tier() != Tier::Critical {
            return Err(arrival.end(Outcome::Stopped));
        }
        if flags.features.state(feature) == State::Disabled {
            return Err(arrival.end(Outcome::Off));
        }
        match self.pools.enter(feature.tier()) {
            Ok(place) => Ok(Ticket {
                feature,
                arrival,
                place,
            }),
            Err(_full) => Err(arrival.end(Outcome::Shed)),
        }
    }

    /// An answer goes without an animation where there is no place for one.
    async fn animate(&self, ticket: Option<Ticket<'_>>, context: Context<'_>) -> Option<Animation> {
        let reduced = context.flags.features.state(Feature::Animations) == State::Reduced;
        let work = handlers::animation(&self.services, reduced);
        let done = ticket?.work(context.deadline, &self.flags, work).await;
        done.ok()
    }
}

impl Ticket<'_> {
    /// Waits for the turn, then does the work. Where its feature is switched off while it waits, the
    /// place in the queue is given up: shedding must also rid us of what is queued already. What has
    /// begun is finished, since what it costs is spent.
    async fn work<T>(
        self,
        deadline: Instant,
        flags: &FlagStore,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let done = async {
            let _turn = tokio::select! {
                biased;
                turn = self.place.turn() => turn,
                () = flags.until_off(self.feature) => return Err(Failure::plain(Outcome::Off)),
            };
            work.await
        };
        let late = |_elapsed| Err(Failure::plain(Outcome::Error));
        let result = tokio::time::timeout_at(deadline, done)
            .await
            .unwrap_or_else(late);
        let outcome = result
            .as_ref()
            .map_or_else(|failure| failure.outcome, |_| Outcome::Ok);
        self.arrival.end(outcome);
        result
    }
}
