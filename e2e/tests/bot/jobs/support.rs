//! What the tests of the split begin with: the queue, and the bot in its roles.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::bot::Bot;
use e2e::nats::Nats;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// For what happens at once on an idle machine.
pub(super) const SOON: Duration = Duration::from_secs(60);

/// One queue, and the database that the processes share.
pub(super) struct Split<N = Nats> {
    pub(super) run: Arc<RunDir>,
    pub(super) nats: N,
    /// What gateways and workers are told of the queue.
    gateway_url: String,
    worker_url: String,
    client: reqwest::Client,
}

impl Split {
    pub(super) async fn start(run: Arc<RunDir>) -> Result<Self> {
        let nats = Nats::start(&run, "nats").await?;
        let url = nats.url();
        Self::over(run, nats, url.clone(), url)
    }
}

impl<N> Split<N> {
    pub(super) fn over(
        run: Arc<RunDir>,
        nats: N,
        gateway_url: String,
        worker_url: String,
    ) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(SOON)
            .no_proxy()
            .build()?;
        Ok(Self {
            run,
            nats,
            gateway_url,
            worker_url,
            client,
        })
    }

    pub(super) async fn gateway(&self, name: &str, options: &[&str]) -> Result<Bot> {
        let bot = self.bot("gateway", name, options).await?;
        await_series(&bot, "bot_nats_connected", |value| value >= 1).await?;
        Ok(bot)
    }

    pub(super) async fn core_worker(&self, name: &str, options: &[&str]) -> Result<Bot> {
        let tiers = "--worker-tiers=critical,important";
        let options: Vec<&str> = [tiers].iter().chain(options).copied().collect();
        self.bot("worker", name, &options).await
    }

    pub(super) async fn luxury_worker(&self, name: &str) -> Result<Bot> {
        self.bot("worker", name, &["--worker-tiers=luxury"]).await
    }

    async fn bot(&self, role: &str, name: &str, options: &[&str]) -> Result<Bot> {
        let file = self.run.data().join("bot.db");
        let url = match role {
            "worker" => &self.worker_url,
            _ => &self.gateway_url,
        };
        let own = [
            format!("--role={role}"),
            format!("--nats-url={url}"),
            format!("--store=sqlite:{}?mode=rwc", file.display()),
            "--ack-wait=2s".to_owned(),
        ];
        let options = options.iter().map(|&option| option.to_owned());
        let options: Vec<String> = own.into_iter().chain(options).collect();
        Bot::alone(&self.run, name, &options).await
    }

    /// Sends a message to `POST /chat`: the status, the reply, and how long it took.
    pub(super) async fn chat(&self, bot: &Bot, message: &str) -> Result<Answer> {
        chat(&self.client, &bot.url("/chat"), message, "").await
    }

    /// The same beside what the test does meanwhile.
    pub(super) fn asks(&self, bot: &Bot, message: &str) -> JoinHandle<Result<Answer>> {
        self.asks_as(bot, message, "")
    }

    /// The same as somebody who can be told things later.
    pub(super) fn asks_as(
        &self,
        bot: &Bot,
        message: &str,
        session: &str,
    ) -> JoinHandle<Result<Answer>> {
        let (client, url) = (self.client.clone(), bot.url("/chat"));
        let (message, session) = (message.to_owned(), session.to_owned());
        tokio::spawn(async move { chat(&client, &url, &message, &session).await })
    }
}

/// The status, the reply, and how long it took.
pub(super) type Answer = (u16, Value, Duration);

async fn chat(client: &reqwest::Client, url: &str, message: &str, session: &str) -> Result<Answer> {
    let start = Instant::now();
    let body = json!({"message": message, "user": "visitor", "session": session});
    let response = client.post(url).json(&body).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.json().await?, start.elapsed()))
}

/// The sum of the series of this name that have all these words among their labels.
pub(super) async fn sum(bot: &Bot, name: &str, words: &[&str]) -> Result<i64> {
    let text = bot.metrics().await?;
    let mut sum = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').context("a line without a value")?;
        let (this, labels) = series.split_once('{').unwrap_or((series, ""));
        if this == name && words.iter().all(|word| labels.contains(word)) {
            let whole = value.split('.').next().unwrap_or(value);
            sum = Some(sum.unwrap_or(0) + whole.parse::<i64>()?);
        }
    }
    sum.with_context(|| format!("no series {name} {words:?}"))
}

/// Waits until a series, given as `name` or `name word word`, has such a value.
pub(super) async fn await_series(
    bot: &Bot,
    series: &str,
    such: impl Fn(i64) -> bool,
) -> Result<i64> {
    let mut words: Vec<&str> = series.split(' ').collect();
    let name = words.remove(0);
    await_condition(series, SOON, || async {
        let value = sum(bot, name, &words).await?;
        anyhow::ensure!(such(value), "it is {value}");
        Ok(Some(value))
    })
    .await
}
