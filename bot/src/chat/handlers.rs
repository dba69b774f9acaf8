//! What is done for each ask, one file per feature.

mod commands;
mod persona;

use tokio::time::Instant;

use super::Animation;
use crate::ask::Ask;
use crate::flags::Snapshot;
use crate::message::Message;
use crate::metrics::Outcome;
use crate::store::Store;
use crate::work::Costs;

/// What handlers work with.
pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) costs: Costs,
}

/// What is known about one request.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) message: &'a Message,
    /// Of its beginning: one snapshot per request.
    pub(crate) flags: &'a Snapshot,
    /// Nobody waits for an answer after that.
    pub(crate) deadline: Instant,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    /// What to tell the user, where that is more than the outcome says.
    pub(crate) text: Option<String>,
}

impl Failure {
    /// With the words that go with the outcome.
    pub(crate) fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            text: None,
        }
    }
}

/// Answers, on a turn of its tier's pool.
pub(crate) async fn answer(
    services: &Services,
    ask: &Ask,
    context: Context<'_>,
) -> Result<String, Failure> {
    match ask {
        Ask::Help => command(services, commands::help()).await,
        Ask::Ping => command(services, "Pong.".to_owned()).await,
        Ask::Status => command(services, commands::status(context.flags)).await,
        Ask::Unknown => command(services, commands::unknown()).await,
        Ask::Talk(text) => {
            let budget = context.flags.features.chat_budget;
            services.costs.chat(budget).perform().await;
            Ok(persona::answer(text, &context.message.author.name, budget))
        }
        // the features that are not there yet
        Ask::Roles
        | Ask::RoleAdd(_)
        | Ask::RoleRemove(_)
        | Ask::Stop
        | Ask::Start
        | Ask::Reboot
        | Ask::Set(_)
        | Ask::Search(_)
        | Ask::Remind(_)
        | Ask::Reminders
        | Ask::Stats
        | Ask::Summary
        | Ask::Deep(_) => command(services, commands::unknown()).await,
    }
}

async fn command(services: &Services, answer: String) -> Result<String, Failure> {
    services.costs.command().perform().await;
    Ok(answer)
}

/// What an answer is celebrated with.
pub(crate) async fn animation(services: &Services, reduced: bool) -> Result<Animation, Failure> {
    services.costs.animation(reduced).perform().await;
    Ok(Animation {
        kind: "confetti".to_owned(),
        pieces: if reduced { 8 } else { 36 },
    })
}
