//! A Discord that outlives the bots, which share a database.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::bot::Bot;
use e2e::discord::Discord;
use e2e::discord::state::Post;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;

use super::super::scene::DEADLINE;
use crate::support::series;

/// A bot whose talks do not end in time to be heard.
pub(super) const SLOW: &[&str] = &["--chat-ms=50000", "--deadline=55s"];

const IDENTIFY_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Restarts {
    run: Arc<RunDir>,
    pub(super) discord: Discord,
    options: Vec<String>,
}

impl Restarts {
    pub(super) async fn on_sqlite(run: &Arc<RunDir>, options: &[&str]) -> Result<Self> {
        let file = run.data().join("bot.db");
        let store = format!("sqlite:{}?mode=rwc", file.display());
        Self::new(run, &store, options).await
    }

    pub(super) async fn new(run: &Arc<RunDir>, store: &str, options: &[&str]) -> Result<Self> {
        let discord = Discord::start().await?;
        let mut all = discord.options();
        all.push(format!("--store={store}"));
        all.extend(options.iter().map(|&option| option.to_owned()));
        Ok(Self {
            run: Arc::clone(run),
            discord,
            options: all,
        })
    }

    /// A bot that is connected.
    pub(super) async fn start(&self, name: &str, options: &[&str]) -> Result<Bot> {
        let more = options.iter().map(|&option| option.to_owned());
        let all: Vec<String> = self.options.iter().cloned().chain(more).collect();
        let bot = Bot::alone(&self.run, name, &all).await?;
        self.await_series(&bot, "bot_discord_connected", 1.0)
            .await?;
        Ok(bot)
    }

    pub(super) async fn await_series(&self, bot: &Bot, name: &str, least: f64) -> Result<()> {
        await_condition(name, DEADLINE, || async {
            let value = series(&bot.metrics().await?, name).context("no such series")?;
            ensure!(value >= least, "it is {value}");
            Ok(Some(()))
        })
        .await
    }

    /// So many talks have been begun.
    pub(super) async fn await_talks(&self, bot: &Bot, talks: f64) -> Result<()> {
        let name = "bot_arrivals_total{feature=\"ai-chat\",tier=\"Important\"}";
        self.await_series(bot, name, talks).await
    }

    /// Discord takes one identify in five seconds.
    pub(super) async fn await_identify(&self) -> Result<()> {
        let allowed = || {
            let last = self.discord.with(|state| state.identifies.last().copied());
            let passed = last.is_none_or(|(at, _)| at.elapsed() > IDENTIFY_EVERY);
            passed.then_some(())
        };
        self.until("another identify to be allowed", allowed).await
    }

    pub(super) async fn until<T>(&self, what: &str, found: impl Fn() -> Option<T>) -> Result<T> {
        await_condition(what, DEADLINE, || async { Ok(found()) }).await
    }

    /// The answer to a message.
    pub(super) async fn answer(&self, id: u64) -> Result<Post> {
        let found = || self.posts_for(id).into_iter().next();
        self.until("an answer", found).await
    }

    pub(super) fn answers(&self, id: u64) -> usize {
        self.posts_for(id).len()
    }

    fn posts_for(&self, id: u64) -> Vec<Post> {
        let nonce = id.to_string();
        let posts = self.discord.posts().into_iter();
        posts
            .filter(|post| post.body["nonce"] == nonce.as_str())
            .collect()
    }

    pub(super) fn expect_once(&self, ids: &[u64]) -> Result<()> {
        for &id in ids {
            let answers = self.answers(id);
            ensure!(answers == 1, "{id} has {answers} answers");
        }
        Ok(())
    }

    pub(super) fn expect_sessions(&self, begun: usize, resumed: usize) -> Result<()> {
        let found = self
            .discord
            .with(|state| (state.identifies.len(), state.resumes));
        ensure!(
            found == (begun, resumed),
            "sessions begun and resumed: {found:?}, not {:?}",
            (begun, resumed)
        );
        Ok(())
    }
}
