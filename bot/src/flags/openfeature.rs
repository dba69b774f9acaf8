//! Flags from any `OpenFeature` provider, which whoever embeds the bot sets up.
//!
//! A provider has no epoch: it says what it says now. So it is not ranked against the `ConfigMap` but
//! obeyed beside it, and a feature is as far off as either of them says: neither can undo what the other
//! has shed, and their order does not matter. Alone, it decides alone.
//!
//! # Guarantees
//!
//! - Each round of evaluations becomes one snapshot.
//! - A flag that cannot be evaluated, or not in time, keeps what it last was, alone and at first the default; so a
//!   provider that fails leaves all as it is.
//! - A flag that the provider has never had is enabled, like one that no `ConfigMap` names.

mod reading;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use brownout::flags::{Flag, Flags};
use brownout::policy::Tier;
use futures::future::join_all;
use open_feature::{Client, EvaluationDetails, EvaluationErrorCode, Value as Evaluated};
use tokio::time::MissedTickBehavior;

use super::{FlagStore, Source, SourceState};
use crate::features::{Feature, Features};
use reading::{Answer, Kind, read};

/// A provider that takes longer for one flag counts as failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a provider has said.
#[derive(Clone, Debug)]
pub(super) struct Provided {
    pub(super) features: Features,
    /// Of these nobody has heard yet what the provider says, nor that it says nothing.
    pub(super) unanswered: Vec<Feature>,
    /// The highest that any flag's metadata name, as those that the operator publishes do.
    pub(super) level: usize,
}

/// Evaluates every feature's flag at each interval, for ever.
pub(crate) async fn follow(client: Client, interval: Duration, store: Arc<FlagStore>) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = Known::default();
    loop {
        ticks.tick().await;
        // what is critical cannot be switched off, so nobody asks
        let asked = Feature::ALL
            .into_iter()
            .filter(|feature| feature.tier() != Tier::Critical);
        let round = asked.map(|feature| {
            let kind = known.kind(feature);
            let client = &client;
            async move { (feature, evaluate(client, feature, kind).await) }
        });
        let state = known.learn(join_all(round).await);
        store.provide(known.provided(), state);
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The provider has no such flag.
    NotFound,
    Failed,
}

/// What each flag last was; none where the provider has no such flag.
#[derive(Default)]
struct Known(BTreeMap<&'static str, Option<Answer>>);

impl Known {
    fn kind(&self, feature: Feature) -> Option<Kind> {
        let answer = self.0.get(feature.name())?.as_ref()?;
        Some(answer.kind)
    }

    /// How the source stands after a round.
    fn learn(&mut self, round: Vec<(Feature, Result<Answer, Why>)>) -> SourceState {
        let mut failed = false;
        let mut found = false;
        for (feature, answer) in round {
            match answer {
                Ok(answer) => {
                    found = true;
                    self.0.insert(feature.name(), Some(answer));
                }
                // one that was there keeps what it was
                Err(Why::NotFound) => {
                    self.0.entry(feature.name()).or_default();
                }
                Err(Why::Failed) => failed = true,
            }
        }
        match (failed, found) {
            (true, _) => SourceState::Broken,
            (false, true) => SourceState::Current,
            (false, false) => SourceState::Missing,
        }
    }

    /// Nothing before the first answer.
    fn provided(&self) -> Option<Provided> {
        let answers = self.0.iter();
        let answers = answers.filter_map(|(&name, answer)| Some((name, answer.as_ref()?)));
        let level = answers.clone().map(|(_, answer)| answer.level).max()?;
        let flags = answers.map(|(name, answer)| {
            let flag = Flag {
                state: answer.state,
                value: answer.value.clone(),
                // the bot's own manifest says the tier
                tier: Tier::Luxury,
            };
            (name.to_owned(), flag)
        });
        let features = Features::of(&Flags {
            policy: String::new(),
            level,
            level_name: String::new(),
            since: None,
            epoch: 0,
            reason: String::new(),
            features: flags.collect(),
        });
        let unanswered = Feature::ALL.into_iter().filter(|feature| {
            feature.tier() != Tier::Critical && !self.0.contains_key(feature.name())
        });
        Some(Provided {
            features,
            unanswered: unanswered.collect(),
            level,
        })
    }
}

/// Asks for the type that it had before, then for the others: `OpenFeature` has no question without one.
async fn evaluate(client: &Client, feature: Feature, kind: Option<Kind>) -> Result<Answer, Why> {
    let others = Kind::ALL.into_iter().filter(|&other| Some(other) != kind);
    let asked = async {
        for kind in kind.into_iter().chain(others) {
            match ask(client, feature.name(), kind).await {
                Ok(details) => return read(feature, kind, &details).ok_or(Why::Failed),
                Err(EvaluationErrorCode::FlagNotFound) => return Err(Why::NotFound),
                Err(EvaluationErrorCode::TypeMismatch | EvaluationErrorCode::ParseError) => {}
                Err(error) => {
                    tracing::debug!(feature = feature.name(), %error, "flag not evaluated");
                    return Err(Why::Failed);
                }
            }
        }
        Err(Why::Failed)
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or(Err(Why::Failed))
}

async fn ask(
    client: &Client,
    name: &str,
    kind: Kind,
) -> Result<EvaluationDetails<Evaluated>, EvaluationErrorCode> {
    let details = match kind {
        Kind::Boolean => client
            .get_bool_details(name, None, None)
            .await
            .map(EvaluationDetails::into_value),
        Kind::Integer => client
            .get_int_details(name, None, None)
            .await
            .map(EvaluationDetails::into_value),
        Kind::Number => client
            .get_float_details(name, None, None)
            .await
            .map(EvaluationDetails::into_value),
        Kind::Text => client
            .get_string_details(name, None, None)
            .await
            .map(EvaluationDetails::into_value),
    };
    details.map_err(|error| error.code)
}

impl FlagStore {
    /// A round has ended so; what was provided before stays where nothing is provided.
    fn provide(&self, provided: Option<Provided>, state: SourceState) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if provided.is_some() {
            held.provided = provided;
            self.settle(&held);
        }
        self.stand(&mut held, Source::OpenFeature, state);
    }
}

#[cfg(test)]
mod tests {
    use brownout::flags::Value;
    use brownout::policy::State;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_flag_that_was_never_evaluated_is_the_default_and_one_that_is_not_there_enabled() {
        let sources = [Source::OpenFeature];
        let metrics = Metrics::new(&mut Registry::default(), &sources);
        let store = FlagStore::new(&sources, Features::safe(), Arc::new(metrics));
        let state = |feature| store.snapshot().features.state(feature);
        let enabled = |value| {
            Ok(Answer {
                kind: Kind::Integer,
                state: State::Enabled,
                value: Value::Integer(value),
                level: 0,
            })
        };
        let mut known = Known::default();
        let round = vec![
            (Feature::Search, enabled(1)),
            (Feature::Reminders, Err(Why::NotFound)),
            (Feature::AiChat, Err(Why::Failed)),
            (Feature::Animations, Err(Why::Failed)),
        ];
        let stands = known.learn(round);
        store.provide(known.provided(), stands);
        assert_eq!(state(Feature::Search), State::Enabled);
        assert_eq!(state(Feature::Reminders), State::Enabled);
        assert_eq!(state(Feature::AiChat), State::Reduced);
        assert_eq!(state(Feature::Animations), State::Disabled);
        let safe = Features::safe().chat_budget;
        assert_eq!(store.snapshot().features.chat_budget, safe);

        let round = vec![
            (Feature::Search, Err(Why::NotFound)),
            (Feature::AiChat, enabled(700)),
            (Feature::Animations, Err(Why::NotFound)),
        ];
        let stands = known.learn(round);
        store.provide(known.provided(), stands);
        for feature in [Feature::Search, Feature::AiChat, Feature::Animations] {
            assert_eq!(state(feature), State::Enabled, "{}", feature.name());
        }
        assert_eq!(store.snapshot().features.chat_budget, 700);
    }
}
