//! The core: a message in, an answer out, whatever door it came through.

mod commands;
mod persona;

use std::sync::Arc;
use std::time::Duration;

use brownout::policy::State;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::features::Feature;
use crate::flags::{FlagStore, Snapshot};
use crate::metrics::{Arrival, Metrics, Outcome};
use crate::queue::Queues;
use crate::work::{Costs, Work};

/// What goes back to the user.
#[derive(Debug, Serialize)]
pub(crate) struct Reply {
    pub(crate) answer: String,
    /// The feature that answered, or that would have.
    pub(crate) feature: &'static str,
    /// `ok`, `off`, `shed` or `error`, as in the metrics.
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) animation: Option<Animation>,
    /// What is less than usual about this answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notice: Option<&'static str>,
}

/// How to celebrate an answer.
#[derive(Debug, Serialize)]
pub(crate) struct Animation {
    kind: &'static str,
    pieces: u32,
}

/// Answers messages.
pub(crate) struct Chat {
    flags: Arc<FlagStore>,
    metrics: Arc<Metrics>,
    queues: Arc<Queues>,
    costs: Costs,
    deadline: Duration,
}

/// Work that has a place in a queue.
struct Ticket<'a> {
    feature: Feature,
    arrival: Arrival<'a>,
    done: oneshot::Receiver<()>,
}

impl Chat {
    pub(crate) fn new(
        flags: Arc<FlagStore>,
        metrics: Arc<Metrics>,
        queues: Arc<Queues>,
        costs: Costs,
        deadline: Duration,
    ) -> Self {
        Self {
            flags,
            metrics,
            queues,
            costs,
            deadline,
        }
    }

    /// Answers one message, by the flags as they are now. The answer carries its animation, so it
    /// waits for it too; both share one deadline, which the time in the queue counts toward.
    pub(crate) async fn answer(&self, message: &str, user: &str) -> (Outcome, Reply) {
        let deadline = Instant::now() + self.deadline;
        let flags = self.flags.snapshot();
        let command = commands::parse(message);
        let (feature, work) = match command {
            Some(_) => (Feature::Commands, self.costs.command()),
            None => (Feature::AiChat, self.costs.chat(flags.features.chat_budget)),
        };
        let ticket = match self.queue(feature, work, &flags) {
            Ok(ticket) => ticket,
            Err(outcome) => return declined(outcome, feature),
        };
        let animation = self.queue_animation(&flags);
        let (outcome, animation) = tokio::join!(
            ticket.done_by(deadline, &self.flags),
            finish_animation(animation, deadline, &self.flags)
        );
        if outcome != Outcome::Ok {
            return declined(outcome, feature);
        }
        let answer = match command {
            Some(command) => command.answer(&flags),
            None => persona::answer(message, user, flags.features.chat_budget),
        };
        let reduced = flags.features.state(feature) == State::Reduced;
        let reply = Reply {
            answer,
            feature: feature.name(),
            outcome: outcome.name(),
            animation,
            notice: reduced.then(|| feature.text(State::Reduced)),
        };
        (outcome, reply)
    }

    /// Counts the request in and gives it a place, unless the feature is off or the queue full.
    fn queue(&self, feature: Feature, work: Work, flags: &Snapshot) -> Result<Ticket<'_>, Outcome> {
        let arrival = self.metrics.arrive(feature);
        if flags.features.state(feature) == State::Disabled {
            return Err(arrival.end(Outcome::Off));
        }
        match self.queues.submit(feature.tier(), work) {
            Ok(done) => Ok(Ticket {
                feature,
                arrival,
                done,
            }),
            Err(_full) => Err(arrival.end(Outcome::Shed)),
        }
    }

    /// An answer goes without an animation where there is no place for one.
    fn queue_animation(&self, flags: &Snapshot) -> Option<(Ticket<'_>, Animation)> {
        let reduced = flags.features.state(Feature::Animations) == State::Reduced;
        let work = self.costs.animation(reduced);
        let ticket = self.queue(Feature::Animations, work, flags).ok()?;
        let animation = Animation {
            kind: "confetti",
            pieces: if reduced { 8 } else { 36 },
        };
        Some((ticket, animation))
    }
}

impl Ticket<'_> {
    /// Waits for the work. Where its feature is switched off meanwhile, the place in the queue is
    /// given up: shedding must also rid us of what is queued already.
    async fn done_by(self, deadline: Instant, flags: &FlagStore) -> Outcome {
        let outcome = tokio::select! {
            biased;
            // an error: the workers are gone
            done = self.done => done.map_or(Outcome::Error, |()| Outcome::Ok),
            () = flags.until_off(self.feature) => Outcome::Off,
            () = tokio::time::sleep_until(deadline) => Outcome::Error,
        };
        self.arrival.end(outcome)
    }
}

async fn finish_animation(
    queued: Option<(Ticket<'_>, Animation)>,
    deadline: Instant,
    flags: &FlagStore,
) -> Option<Animation> {
    let (ticket, animation) = queued?;
    (ticket.done_by(deadline, flags).await == Outcome::Ok).then_some(animation)
}

/// The kind words for when there is no answer.
fn declined(outcome: Outcome, feature: Feature) -> (Outcome, Reply) {
    let answer = match outcome {
        Outcome::Off => format!(
            "{} It is temporary; commands such as !help still work.",
            feature.text(State::Disabled)
        ),
        Outcome::Shed => "So many of you at once! Please ask me again in a moment.".to_owned(),
        Outcome::Ok | Outcome::Error => {
            "I am sorry, that took me too long. Please ask me again in a moment.".to_owned()
        }
    };
    let reply = Reply {
        answer,
        feature: feature.name(),
        outcome: outcome.name(),
        animation: None,
        notice: None,
    };
    (outcome, reply)
}
