//! One bot, one API, and an operator or none.

use std::fs;

use anyhow::Result;
use e2e::bot::Bot;
use e2e::harness::Ctx;
use e2e::model_server::{Behaviour, ModelServer};
use e2e::operator::Operator;

use std::time::Duration;

const KEY: &str = "sk-only-0123456789";
const SOON: Duration = Duration::from_secs(60);

/// What runs. Dropping it ends it.
pub(crate) struct Stage {
    pub(crate) bot: Bot,
    pub(crate) api: ModelServer,
    _operator: Option<Operator>,
}

impl Stage {
    /// A bot, by itself or with the policy in force; each is set in a namespace of its own.
    pub(crate) async fn set(
        ctx: &Ctx,
        behaviour: Behaviour,
        options: &[String],
        policy: Option<&str>,
    ) -> Result<Self> {
        let api = ModelServer::start(behaviour).await?;
        let keys = ctx
            .environment()
            .run
            .subfolder(ctx.namespace())?
            .join("keys");
        fs::write(&keys, format!("only:{KEY}\n"))?;
        let mut all = vec![
            format!("--ai-url={}", api.url()),
            "--ai-model=large".to_owned(),
            "--ai-small-model=small".to_owned(),
            format!("--ai-keys-file={}", keys.display()),
        ];
        all.extend_from_slice(options);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let bot = ctx.bot("bot-flags", &all).await?;
        let operator = match policy {
            None => None,
            Some(policy) => {
                let operator = ctx.operator().await?;
                ctx.apply(&policy.replace("JOB", ctx.job())).await?;
                bot.await_level(0, SOON).await?;
                Some(operator)
            }
        };
        Ok(Self {
            bot,
            api,
            _operator: operator,
        })
    }

    /// Requests that reached the API.
    pub(crate) fn calls(&self) -> usize {
        self.api.count(KEY)
    }

    /// Those of them that it answered as they wished.
    pub(crate) fn served(&self) -> usize {
        self.api.served(KEY)
    }
}
