//! The model: the embedded butler, or any endpoint that speaks the `OpenAI` protocol; keys and quotas.
//!
//! - `persona`: the butler, who needs no network
//! - `openai`, `wire`: an endpoint, and its protocol
//! - `prompt`: what the model is told, so that what people write stays data
//! - `keys`, `quota`: which key is next, what each may ask for (pure)
//! - `keyring`: the keys with what the store has counted of them
//! - `short`, `forecast`, `metrics`: what is left and when it ends
//! - `silence`: why there is no answer, and what to say then

mod forecast;
mod keyring;
mod keys;
mod metrics;
mod openai;
pub(crate) mod persona;
mod prompt;
mod quota;
mod secrets;
mod short;
mod silence;
mod wire;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use openai::OpenAi;
pub(crate) use prompt::{Prompt, Task, Turn, fit};
pub(crate) use quota::{Bound, Hour, Quota, Usage, Used, Window};
pub(crate) use silence::Silence;

use crate::config::AiConfig;
use crate::outbound::{BreakerLimits, Dependency, Limits, OutboundMetrics, RateLimit};
use crate::store::{Store, now_ms};
use keyring::Keyring;
use metrics::AiMetrics;
pub(crate) use metrics::UNLIMITED;

/// As [`OutboundMetrics`] is told.
pub(crate) const DEPENDENCY: &str = "model";
/// How often what other replicas have used is read.
const REFRESH: Duration = Duration::from_secs(5);
const LEAST_REFRESH: Duration = Duration::from_millis(250);
const PRUNE: Duration = Duration::from_hours(1);

/// Why there can be no model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AiError {
    #[error("--ai-keys-file {path}: {error}")]
    File { path: String, error: std::io::Error },
    #[error(
        "line {line} of the AI keys: write KEY or NAME:KEY, with a name of at most 32 of a-z, 0-9, - and _"
    )]
    Line { line: usize },
    #[error("the AI keys have the name {name:?} twice: give each a name of its own")]
    Twice { name: String },
    #[error("there is no key among the AI keys: write one per line, or leave the option away")]
    NoKeys,
    #[error("--ai-url needs --ai-model: write the name of a model that the endpoint has")]
    NoModel,
    #[error("--ai-url: write a base URL such as https://api.openai.com/v1")]
    Url,
    #[error("no HTTP client: {0}")]
    Client(reqwest::Error),
}

/// Who answers.
pub(crate) enum Model {
    /// The butler, by rules: there is nothing to count.
    Persona,
    OpenAi(Box<OpenAi>),
}

impl Model {
    /// By the options.
    pub(crate) fn open(
        config: &AiConfig,
        store: &Store,
        registry: &mut Registry,
        outbound: &OutboundMetrics,
    ) -> Result<Self, AiError> {
        let metrics = AiMetrics::new(registry);
        let Some(url) = &config.url else {
            return Ok(Self::Persona);
        };
        if config.model.is_none() {
            return Err(AiError::NoModel);
        }
        let keys = secrets::keys(config)?;
        let keyring = Keyring::new(keys, config.quota(), store.clone(), metrics);
        let limits = Limits {
            timeout: config.timeout,
            concurrency: config.concurrency,
            rate: config.per_minute.map(|per_minute| RateLimit {
                per_minute,
                // what comes in one breath goes out in one
                burst: NonZeroU32::MIN.saturating_add(per_minute.get() / 12),
            }),
            breaker: BreakerLimits {
                // a model may well think; it is slow when it nearly takes too long
                slow_after: config.timeout.mul_f64(0.8),
                ..BreakerLimits::default()
            },
            ..Limits::default()
        };
        let dependency = Dependency::new(DEPENDENCY, limits, outbound);
        let openai = OpenAi::new(config, url, keyring, dependency)?;
        Ok(Self::OpenAi(Box::new(openai)))
    }

    /// The endpoint, where there is one; where not, the butler does what he can.
    pub(crate) fn remote(&self) -> Option<&OpenAi> {
        match self {
            Self::Persona => None,
            Self::OpenAi(openai) => Some(openai),
        }
    }

    /// Keeps what is shown of the quotas true while nobody asks, and forgets old counts; never ends.
    pub(crate) async fn keep_books(self: Arc<Self>) {
        let Some(openai) = self.remote() else { return };
        // as often within an hour, however long that is
        let hour = Duration::from_millis(openai.keyring().hour().ms().unsigned_abs());
        let every = (hour / 720).clamp(LEAST_REFRESH, REFRESH);
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pruned = None;
        loop {
            ticks.tick().await;
            let mut done = openai.keyring().refresh(now_ms()).await;
            if done.is_ok() && pruned.is_none_or(|at: Instant| at.elapsed() > PRUNE) {
                done = openai.keyring().prune(now_ms()).await;
                pruned = Some(Instant::now());
            }
            if let Err(error) = done {
                tracing::warn!(%error, "what the keys have used cannot be read");
            }
        }
    }
}

impl OpenAi {
    /// An answer that fits into one message, by `deadline`.
    pub(crate) async fn answer(
        &self,
        prompt: &Prompt,
        deadline: Instant,
    ) -> Result<String, Silence> {
        let answer = self.ask(prompt, deadline).await;
        if let Err(silence) = &answer {
            self.keyring().metrics().silence(silence);
        }
        answer
    }
}
