//! Flags from an `OpenFeature` provider: one that reads the definition which the operator publishes, and
//! fails when it is told to.

#![allow(clippy::unwrap_used, clippy::semicolon_if_nothing_returned)] // tests

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use brownout::flags::{FLAGD_KEY, Flag, Flags, Value as FlagValue};
use brownout::policy::{Missing, Mode, Policy, Recovery, State, Tier};
use brownout::time::Span;
use chatbotler::Given;
use common::{Bot, Mount, flags, start_with};
use open_feature::provider::{FeatureProvider, ProviderMetadata, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationResult, FlagMetadata,
    OpenFeature, StructValue,
};
use serde_json::Value;

/// What the provider finds when it looks.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<Found>>);

#[derive(Clone, Default)]
struct Found {
    definition: String,
    /// Flags that fail.
    failing: Vec<&'static str>,
    /// Everything fails so.
    down: Option<EvaluationErrorCode>,
    /// Nothing is ever answered.
    hangs: bool,
}

impl Source {
    fn set(&self, change: impl FnOnce(&mut Found)) {
        change(&mut self.0.lock().unwrap());
    }
}

/// Evaluates a flagd definition without targeting.
struct Flagd {
    metadata: ProviderMetadata,
    source: Source,
}

impl Flagd {
    async fn resolve<T>(
        &self,
        key: &str,
        of: impl Fn(&Value) -> Option<T>,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let state = self.source.0.lock().unwrap().clone();
        if state.hangs {
            std::future::pending::<()>().await;
        }
        let error = |code| EvaluationError {
            code,
            message: None,
        };
        if let Some(code) = state.down {
            return Err(error(code));
        }
        if state.failing.contains(&key) {
            return Err(error(EvaluationErrorCode::General(
                "told to fail".to_owned(),
            )));
        }
        let definition: Value = serde_json::from_str(&state.definition)
            .map_err(|_| error(EvaluationErrorCode::ParseError))?;
        let flag = definition["flags"]
            .get(key)
            .ok_or(error(EvaluationErrorCode::FlagNotFound))?;
        let variant = flag["defaultVariant"].as_str().unwrap();
        let value =
            of(&flag["variants"][variant]).ok_or(error(EvaluationErrorCode::TypeMismatch))?;
        let level = flag["metadata"]["level"].as_i64().unwrap();
        Ok(ResolutionDetails {
            value,
            variant: Some(variant.to_owned()),
            reason: None,
            flag_metadata: Some(FlagMetadata::default().with_value("level", level)),
        })
    }
}

#[open_feature::async_trait]
impl FeatureProvider for Flagd {
    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(key, Value::as_bool).await
    }

    async fn resolve_int_value(
        &self,
        key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(key, Value::as_i64).await
    }

    async fn resolve_float_value(
        &self,
        key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(key, Value::as_f64).await
    }

    async fn resolve_string_value(
        &self,
        key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(key, |value| value.as_str().map(str::to_owned))
            .await
    }

    async fn resolve_struct_value(
        &self,
        key: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        self.resolve(key, |_| None).await
    }
}

/// As the operator writes it, for a policy whose flags have the one variant that they are at.
fn published(level: usize, features: &[(&str, State, FlagValue)]) -> String {
    let policy = Policy {
        namespace: "bots".to_owned(),
        name: "chatbotler".to_owned(),
        mode: Mode::Enforce,
        interval: Span::from_secs(15),
        source: "default".to_owned(),
        max_level: None,
        signals: Vec::new(),
        features: Vec::new(),
        levels: Vec::new(),
        recovery: Recovery {
            after: Span::from_secs(300),
            tolerance: 0.1,
        },
        missing: Missing {
            after: Span::from_secs(180),
            then: None,
        },
        config_map: "chatbotler-flags".to_owned(),
        states: Vec::new(),
    };
    let flags = features.iter().map(|(name, state, value)| {
        let flag = Flag {
            state: *state,
            value: value.clone(),
            tier: Tier::Luxury,
        };
        ((*name).to_owned(), flag)
    });
    let flags = Flags {
        policy: "chatbotler".to_owned(),
        level,
        level_name: "lighten".to_owned(),
        since: None,
        epoch: 1,
        reason: String::new(),
        features: flags.collect::<BTreeMap<_, _>>(),
    };
    flags.encode(&policy)[FLAGD_KEY].clone()
}

async fn bot(source: &Source, options: &[&str]) -> Bot {
    let mut api = OpenFeature::default();
    api.set_provider(Flagd {
        metadata: ProviderMetadata::new("flagd file"),
        source: source.clone(),
    })
    .await;
    let given = Given {
        openfeature: Some(api.create_client()),
    };
    start_with(given, options).await
}

async fn is(bot: &Bot, feature: &str, tier: &str, state: f64) {
    let series = format!("bot_flags_feature_state{{feature=\"{feature}\",tier=\"{tier}\"}}");
    bot.until(&series, state).await;
}

async fn source_is(bot: &Bot, state: &str) {
    let series = format!("bot_flags_source_state{{source=\"openfeature\",state=\"{state}\"}}");
    bot.until(&series, 1.0).await;
}

const ON: FlagValue = FlagValue::Boolean(true);
const OFF: FlagValue = FlagValue::Boolean(false);

fn lighten() -> String {
    published(
        2,
        &[
            ("animations", State::Disabled, OFF),
            ("ai-chat", State::Reduced, FlagValue::Integer(96)),
            (
                "search",
                State::Reduced,
                FlagValue::Text("cached".to_owned()),
            ),
            ("summaries", State::Enabled, ON),
            ("commands", State::Disabled, OFF),
        ],
    )
}

#[tokio::test]
async fn each_kind_of_flag_is_obeyed_and_what_is_critical_stays() {
    let source = Source::default();
    source.set(|state| state.definition = lighten());
    let bot = bot(&source, &[]).await;
    source_is(&bot, "current").await;
    is(&bot, "animations", "Luxury", 2.0).await;
    is(&bot, "ai-chat", "Important", 1.0).await;
    is(&bot, "search", "Important", 1.0).await;
    is(&bot, "summaries", "Luxury", 0.0).await;
    is(&bot, "commands", "Critical", 0.0).await;
    assert_eq!(bot.series("bot_flags_level").await, Some(2.0));
    let (_, reply) = bot.chat("Hello!").await;
    assert!(
        reply["notice"].is_string() && reply.get("animation").is_none(),
        "{reply}"
    );

    source.set(|state| {
        state.definition = published(
            0,
            &[
                ("animations", State::Enabled, ON),
                ("ai-chat", State::Enabled, FlagValue::Integer(512)),
            ],
        )
    });
    is(&bot, "animations", "Luxury", 0.0).await;
    is(&bot, "ai-chat", "Important", 0.0).await;
    // gone from the definition: what it last was
    is(&bot, "search", "Important", 1.0).await;
}

#[tokio::test]
async fn a_provider_that_fails_leaves_the_last_good_flags() {
    let source = Source::default();
    source.set(|state| state.down = Some(EvaluationErrorCode::ProviderNotReady));
    let bot = bot(&source, &["--flags-default=safe"]).await;
    source_is(&bot, "broken").await;
    // the owner's choice holds until the provider has spoken
    is(&bot, "animations", "Luxury", 2.0).await;
    is(&bot, "reminders", "Important", 1.0).await;

    source.set(|state| {
        state.down = None;
        state.definition = published(1, &[("summaries", State::Disabled, OFF)]);
    });
    source_is(&bot, "current").await;
    is(&bot, "summaries", "Luxury", 2.0).await;
    // it has spoken, and does not name it
    is(&bot, "animations", "Luxury", 0.0).await;

    for failure in [
        |state: &mut Found| state.down = Some(EvaluationErrorCode::ProviderNotReady),
        |state: &mut Found| state.definition = "{".to_owned(),
        |state: &mut Found| state.hangs = true,
    ] {
        let before = source.0.lock().unwrap().clone();
        source.set(failure);
        source_is(&bot, "broken").await;
        is(&bot, "summaries", "Luxury", 2.0).await;
        *source.0.lock().unwrap() = before;
        source_is(&bot, "current").await;
    }
}

#[tokio::test]
async fn a_flag_that_fails_keeps_what_it_was_and_the_others_go_on() {
    let source = Source::default();
    source.set(|state| state.definition = lighten());
    let bot = bot(&source, &[]).await;
    is(&bot, "animations", "Luxury", 2.0).await;
    source.set(|state| {
        state.failing = vec!["animations"];
        state.definition = published(
            0,
            &[
                ("animations", State::Enabled, ON),
                ("ai-chat", State::Enabled, FlagValue::Integer(512)),
            ],
        );
    });
    is(&bot, "ai-chat", "Important", 0.0).await;
    is(&bot, "animations", "Luxury", 2.0).await;
    source_is(&bot, "broken").await;
    source.set(|state| state.failing.clear());
    is(&bot, "animations", "Luxury", 0.0).await;
}

#[tokio::test]
async fn beside_a_config_map_a_feature_is_as_far_off_as_either_says() {
    let source = Source::default();
    source.set(|state| {
        state.definition = published(
            0,
            &[
                ("ai-chat", State::Enabled, FlagValue::Integer(512)),
                ("animations", State::Disabled, OFF),
            ],
        )
    });
    let mut mount = Mount::new();
    mount.swap(&flags(7, 1, ("Reduced", 96), "Enabled"));
    let bot = bot(&source, &[&mount.option()]).await;
    bot.until("bot_flags_epoch", 7.0).await;
    source_is(&bot, "current").await;
    is(&bot, "ai-chat", "Important", 1.0).await;
    is(&bot, "animations", "Luxury", 2.0).await;
    // the level is the operator's, whose epochs are not the provider's business
    assert_eq!(bot.series("bot_flags_level").await, Some(1.0));

    mount.swap(&flags(6, 0, ("Enabled", 512), "Enabled"));
    bot.until(
        "bot_flags_source_state{source=\"directory\",state=\"older\"}",
        1.0,
    )
    .await;
    is(&bot, "ai-chat", "Important", 1.0).await;
    mount.swap(&flags(8, 0, ("Enabled", 512), "Enabled"));
    is(&bot, "ai-chat", "Important", 0.0).await;
    is(&bot, "animations", "Luxury", 2.0).await;
}
