//! What each test of this door begins with: a Discord, and a bot that is connected to it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::bot::Bot;
use e2e::discord::state::Post;
use e2e::discord::{Discord, events::Said};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;

pub(super) const DEADLINE: Duration = Duration::from_secs(60);

pub(super) struct Scene {
    pub(super) discord: Discord,
    pub(super) bot: Bot,
}

impl Scene {
    /// With a bot that has these options.
    pub(super) async fn open(run: &Arc<RunDir>, options: &[&str]) -> Result<Self> {
        Self::prepared(run, Discord::start().await?, options).await
    }

    /// In a Discord that somebody has arranged.
    pub(super) async fn prepared(
        run: &Arc<RunDir>,
        discord: Discord,
        options: &[&str],
    ) -> Result<Self> {
        let mut all = discord.options();
        all.extend(options.iter().map(|&option| option.to_owned()));
        let bot = Bot::alone(run, "bot", &all).await?;
        let scene = Self { discord, bot };
        scene.connected(1).await?;
        Ok(scene)
    }

    pub(super) async fn connected(&self, shards: usize) -> Result<()> {
        self.until("the bot to be connected", || {
            (self.discord.connected() == shards).then_some(())
        })
        .await
    }

    pub(super) async fn until<T>(&self, what: &str, found: impl Fn() -> Option<T>) -> Result<T> {
        await_condition(what, DEADLINE, || async { Ok(found()) }).await
    }

    /// The answer to a message, wherever it stands.
    pub(super) async fn answer(&self, id: u64) -> Result<Post> {
        let nonce = id.to_string();
        let found = || {
            let posts = self.discord.posts();
            posts
                .into_iter()
                .find(|post| post.body["nonce"].as_str() == Some(nonce.as_str()))
        };
        let answer = self.until("an answer", found).await;
        answer.with_context(|| format!("posts: {:#?}", self.discord.posts()))
    }

    /// Says it and waits for the answer.
    pub(super) async fn ask(&self, said: &Said) -> Result<Post> {
        self.answer(self.discord.say(said)).await
    }

    /// What a slash command was answered with.
    pub(super) async fn fulfilled(&self, token: &str) -> Result<String> {
        let answer = self
            .until("a slash command's answer", || self.discord.fulfilled(token))
            .await?;
        Ok(answer["content"].as_str().unwrap_or_default().to_owned())
    }

    /// A series of the bot's, its labels as printed.
    pub(super) async fn series(&self, series: &str) -> Result<f64> {
        let text = self.bot.metrics().await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = line.with_context(|| format!("no series {series}"))?;
        Ok(value.parse()?)
    }

    /// Ends the bot in good order, and looks at how it behaved.
    pub(super) async fn close(self) -> Result<()> {
        ensure!(
            self.bot.terminate().await?.success(),
            "the bot did not end well"
        );
        self.discord.assert_good_manners()
    }
}
