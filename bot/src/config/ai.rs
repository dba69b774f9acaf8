#![allow(clippy::doc_markdown)] // these comments are the help text

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::duration;
use crate::ai::{Bound, Hour, Quota, UNLIMITED};

/// The model: where it is, its keys and their quotas.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub struct AiConfig {
    /// Base URL of an endpoint that speaks the OpenAI protocol [default: a butler, by rules]
    ///
    /// As in https://api.openai.com/v1; one of your own will do as well.
    #[arg(
        id = "ai_url",
        long = "ai-url",
        env = "CHATBOTLER_AI_URL",
        value_parser = base_url,
        requires = "ai_model",
        value_name = "URL"
    )]
    pub url: Option<String>,

    /// The model to ask
    #[arg(
        id = "ai_model",
        long = "ai-model",
        env = "CHATBOTLER_AI_MODEL",
        value_name = "NAME"
    )]
    pub model: Option<String>,

    /// The model to ask while a feature is Reduced [default: the same]
    #[arg(
        id = "ai_small_model",
        long = "ai-small-model",
        env = "CHATBOTLER_AI_SMALL_MODEL",
        value_name = "NAME"
    )]
    pub small_model: Option<String>,

    /// File with the API keys, the preferred one first
    ///
    /// One per line, KEY or NAME:KEY. Names show in metrics, keys nowhere.
    #[arg(
        id = "ai_keys_file",
        long = "ai-keys-file",
        env = "CHATBOTLER_AI_KEYS_FILE",
        value_name = "FILE"
    )]
    pub keys_file: Option<PathBuf>,

    /// The same keys; by the environment, since others on the machine can read command lines
    #[arg(
        id = "ai_keys",
        long = "ai-keys",
        env = "CHATBOTLER_AI_KEYS",
        hide_env_values = true,
        value_name = "KEYS"
    )]
    pub keys: Option<SecretString>,

    /// Requests per key and hour (UTC) [default: no limit]
    #[arg(id = "ai_quota_hour", long = "ai-quota-hour", env = "CHATBOTLER_AI_QUOTA_HOUR", value_parser = quota, value_name = "N")]
    pub quota_hour: Option<u64>,

    /// Requests per key and month (UTC) [default: no limit]
    #[arg(id = "ai_quota_month", long = "ai-quota-month", env = "CHATBOTLER_AI_QUOTA_MONTH", value_parser = quota, value_name = "N")]
    pub quota_month: Option<u64>,

    /// Tokens per key and hour [default: no limit]
    #[arg(id = "ai_tokens_hour", long = "ai-tokens-hour", env = "CHATBOTLER_AI_TOKENS_HOUR", value_parser = quota, value_name = "N")]
    pub tokens_hour: Option<u64>,

    /// Tokens per key and month [default: no limit]
    #[arg(id = "ai_tokens_month", long = "ai-tokens-month", env = "CHATBOTLER_AI_TOKENS_MONTH", value_parser = quota, value_name = "N")]
    pub tokens_month: Option<u64>,

    /// Length of the hour that quotas go by, to see within a minute what an hour brings
    #[arg(id = "ai_hour", long = "ai-hour", env = "CHATBOTLER_AI_HOUR", default_value = "1h", value_parser = duration, hide = true, value_name = "DURATION")]
    pub hour: Duration,

    /// How long the model may think about one answer
    #[arg(id = "ai_timeout", long = "ai-timeout", env = "CHATBOTLER_AI_TIMEOUT", default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,

    /// Calls to the model in a minute, over all its keys [default: as many as come]
    #[arg(
        id = "ai_per_minute",
        long = "ai-per-minute",
        env = "CHATBOTLER_AI_PER_MINUTE",
        value_name = "N"
    )]
    pub per_minute: Option<NonZeroU32>,

    /// Calls to the model that are under way at once
    #[arg(
        id = "ai_concurrency",
        long = "ai-concurrency",
        env = "CHATBOTLER_AI_CONCURRENCY",
        default_value = "16",
        value_name = "N"
    )]
    pub concurrency: NonZeroUsize,

    /// Messages of a conversation that are kept, each with its answer; 0 keeps none
    #[arg(
        long = "history-messages",
        env = "CHATBOTLER_HISTORY_MESSAGES",
        default_value_t = 20,
        value_name = "N"
    )]
    pub history_messages: u32,

    /// How long they are kept
    #[arg(long = "history-age", env = "CHATBOTLER_HISTORY_AGE", default_value = "24h", value_parser = duration, value_name = "DURATION")]
    pub history_age: Duration,

    /// How long the answer to a search is good for whoever asks the same
    #[arg(long = "search-ttl", env = "CHATBOTLER_SEARCH_TTL", default_value = "1h", value_parser = duration, value_name = "DURATION")]
    pub search_ttl: Duration,
}

impl AiConfig {
    /// What each key may ask for.
    pub(crate) fn quota(&self) -> Quota {
        Quota {
            hour: Bound {
                requests: self.quota_hour,
                tokens: self.tokens_hour,
            },
            month: Bound {
                requests: self.quota_month,
                tokens: self.tokens_month,
            },
            length: Hour::lasting(self.hour),
        }
    }
}

fn base_url(text: &str) -> Result<String, &'static str> {
    let wrong =
        "write a base URL such as https://api.openai.com/v1, without user, password and query";
    let url = reqwest::Url::parse(text).map_err(|_| wrong)?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if plain && http {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(wrong)
    }
}

fn quota(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|n| (1..=UNLIMITED).contains(n))
        .ok_or("write a number from 1, or leave the option away for no limit")
}
