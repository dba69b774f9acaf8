//! The operator and the bot as processes of this machine, each logged in as its account in the cluster.

use std::sync::Arc;

use anyhow::Result;

use super::{BOT_OPTIONS, FLAGS, NAME, Place};
use crate::bot::{self, Bot};
use crate::demo::step;
use crate::environment::Environment;
use crate::operator::{self, Operator};
use crate::shipped;

/// Dropping it ends both.
pub(super) struct Processes {
    bot: Bot,
    operator: Operator,
}

impl Processes {
    pub(super) async fn start(environment: &Environment, namespace: &str) -> Result<Self> {
        let operator = start_operator(environment, namespace);
        let operator = step("starting the operator", operator).await?;
        let bot = step("starting the bot", start_bot(environment, namespace)).await?;
        Ok(Self { bot, operator })
    }

    pub(super) fn place(&self) -> Place {
        Place {
            door: self.bot.address(),
            bot: self.bot.address(),
            live: vec![self.operator.admin_address()],
            log: format!("the bot's log: {}", self.bot.log().display()),
        }
    }
}

/// What is missing is told before anything is started.
pub(super) fn check() -> Result<()> {
    operator::executable()?;
    bot::executable()?;
    Ok(())
}

async fn start_operator(environment: &Environment, namespace: &str) -> Result<Operator> {
    // its account as it is shipped, so that the demo also shows that the rights are enough
    let (home, name) = shipped::OPERATOR;
    let mut account = shipped::base()?;
    account.retain(|object| object["kind"] != "Deployment");
    environment.cluster.apply_objects(&account, home).await?;
    let account = environment.cluster.service_account(home, name).await?;
    let options = operator::Options {
        name: "operator".to_owned(),
        kubeconfig: account.kubeconfig,
        prometheus_url: environment.prometheus.url(),
        namespaces: vec![namespace.to_owned()],
        flags: Vec::new(),
    };
    Operator::start(Arc::clone(&environment.run), &options).await
}

/// The bot is a service account that may watch its own flags only.
async fn start_bot(environment: &Environment, namespace: &str) -> Result<Bot> {
    let bot = shipped::manifest(shipped::BOT)?;
    environment.cluster.apply_objects(&bot, namespace).await?;
    let account = environment.cluster.service_account(namespace, NAME).await?;
    let options = bot::Options {
        name: "bot".to_owned(),
        kubeconfig: account.kubeconfig,
        namespace: namespace.to_owned(),
        flags: FLAGS.to_owned(),
        options: BOT_OPTIONS.map(str::to_owned).into(),
    };
    let bot = Bot::start(&environment.run, &options).await?;
    bot.register(&environment.prometheus, &[("job", NAME)])?;
    Ok(bot)
}
