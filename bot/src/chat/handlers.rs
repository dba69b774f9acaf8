//! What is done for each ask, one file per feature.

mod analytics;
mod commands;
mod deep;
mod memory;
pub(crate) mod moderation;
mod reminders;
mod roles;
mod search;
mod summary;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use brownout::policy::State;
use tokio::time::Instant;

use super::Animation;
use crate::activity::Activity;
use crate::ai::{Model, Silence};
use crate::ask::Ask;
use crate::features::Feature;
use crate::flags::Snapshot;
use crate::guild::Guild;
use crate::message::Message;
use crate::metrics::Outcome;
use crate::stops::Stops;
use crate::store::{Store, StoreError};
use crate::work::Costs;
use moderation::Reboot;

pub(crate) use memory::Memory;

/// What is left of the time for an answer when the model must be done: enough to say that it was not.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// Characters that fit into one message, of Discord too.
const MOST_ANSWER: usize = 2000;

/// What handlers work with.
pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) stops: Arc<Stops>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) reboot: Reboot,
    pub(crate) costs: Costs,
    /// Where people have roles; none without Discord.
    pub(crate) guild: Option<Arc<dyn Guild>>,
    pub(crate) model: Arc<Model>,
    pub(crate) memory: Memory,
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
    /// Whether it was clear before any work was begun. Such an error takes no time, and would flatter those that do.
    pub(crate) at_once: bool,
}

impl Failure {
    /// With the words that go with the outcome.
    pub(crate) fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            text: None,
            at_once: false,
        }
    }
}

impl Context<'_> {
    /// Whether the feature is to do with less.
    fn reduced(&self, feature: Feature) -> bool {
        self.flags.features.state(feature) == State::Reduced
    }

    /// When the model must be done.
    fn model_deadline(&self) -> Instant {
        let early = self.deadline.checked_sub(LAST_WORDS);
        early.unwrap_or(self.deadline)
    }
}

/// The model gave no answer: the user is told so, and when to try again.
fn silent(silence: &Silence, feature: Feature, context: Context<'_>) -> Failure {
    tracing::warn!(
        request = context.message.id,
        feature = feature.name(),
        cause = silence.cause(),
        "the model gave no answer"
    );
    Failure {
        outcome: match silence {
            Silence::Withheld => Outcome::Refused,
            _ => Outcome::Error,
        },
        text: Some(silence.text()),
        at_once: silence.at_once(),
    }
}

/// The store does not do what it is asked: nobody shall hear how, and everybody that it is temporary.
pub(super) fn store_failure(error: &StoreError) -> Failure {
    tracing::debug!(%error, "an answer needs the store");
    Failure {
        outcome: Outcome::Error,
        text: Some(
            "My memory fails me at the moment, so I cannot do that. It is temporary; please ask me again in a while."
                .to_owned(),
        ),
        at_once: matches!(error, StoreError::Down),
    }
}

/// Answers, on a turn of its tier's pool.
pub(crate) async fn answer(
    services: &Services,
    ask: &Ask,
    context: Context<'_>,
) -> Result<String, Failure> {
    match ask {
        Ask::Help => command(services, commands::help(services)).await,
        Ask::Ping => command(services, "Pong.".to_owned()).await,
        Ask::Status => command(services, commands::status(services, context)).await,
        Ask::Roles => roles::list(services, context).await,
        Ask::RoleAdd(name) => roles::change(services, context, name, true).await,
        Ask::RoleRemove(name) => roles::change(services, context, name, false).await,
        // boxed: with a call to the model in them they are large, and every answer would have that size
        Ask::Talk(text) => Box::pin(talk::answer(services, text, context)).await,
        Ask::Search(question) => Box::pin(search::answer(services, question, context)).await,
        Ask::Summary => Box::pin(summary::answer(services, context)).await,
        Ask::Deep(question) => Box::pin(deep::answer(services, question, context)).await,
        // and this is the largest of the others
        Ask::Stop(reason) => Box::pin(moderation::stop(services, context, reason)).await,
        Ask::Start => moderation::start(services, context).await,
        Ask::Reboot => moderation::reboot(services, context),
        Ask::Set(rest) => moderation::set(services, context, rest).await,
        Ask::Remind(rest) => reminders::remind(services, context, rest).await,
        Ask::Reminders => reminders::list(services, context).await,
        Ask::RemindersClear => reminders::clear(services, context).await,
        Ask::Stats => analytics::stats(services, context).await,
        Ask::Unknown => command(services, commands::unknown()).await,
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

#[cfg(test)]
impl Services {
    /// Of these options, with a store in memory and without Discord.
    pub(crate) async fn of(
        config: &crate::config::Config,
        registry: &mut prometheus_client::registry::Registry,
    ) -> Self {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let outbound = crate::outbound::OutboundMetrics::new(registry, &[crate::ai::DEPENDENCY]);
        let model = Model::open(&config.ai, &store, registry, &outbound).unwrap();
        let stops = crate::stops::StopMetrics::new(registry);
        let activity = crate::activity::ActivityMetrics::new(registry);
        Self {
            stops: Arc::new(Stops::new(store.clone(), stops).await),
            activity: Arc::new(Activity::new(store.clone(), activity)),
            reboot: Reboot::default(),
            store,
            costs: Costs::new(&config.load, 1.0),
            model: Arc::new(model),
            memory: Memory::new(&config.ai),
            guild: None,
        }
    }
}

#[cfg(test)]
mod tests;
