//! What is remembered outlives the process, and the database's own crashes.

mod leaving;
mod outages;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::bot::Bot;
use e2e::postgres::Postgres;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{series, trial};

/// Whoever brings it is a moderator.
const TOKEN: &str = "a-token-for-moderators";
const ANN: &str = "session-of-ann-0001";
const DELIVERED: &str = "bot_reminder_deliveries_total{event=\"delivered\"}";
/// A bot with its database, on a machine that is busy.
const SOON: Duration = Duration::from_secs(40);

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial(
            "store_a_stop_survives_a_restart_on_sqlite",
            |run| async move {
                let url = sqlite(&run);
                stop_survives(&run, &url).await
            },
        ),
        trial(
            "store_a_stop_survives_a_restart_on_postgres",
            |run| async move {
                let postgres = Postgres::start(&run, "postgres").await?;
                stop_survives(&run, &postgres.url()).await
            },
        ),
        trial(
            "store_a_reminder_survives_a_kill_on_sqlite",
            |run| async move {
                let url = sqlite(&run);
                reminder_survives(&run, &url).await
            },
        ),
        trial(
            "store_a_reminder_survives_a_kill_on_postgres",
            |run| async move {
                let postgres = Postgres::start(&run, "postgres").await?;
                reminder_survives(&run, &postgres.url()).await
            },
        ),
        trial("store_two_replicas_are_one_bot", two_replicas),
        trial("store_postgres_restarts_under_load", outages::restarts),
        trial(
            "store_a_bot_starts_without_its_database",
            outages::starts_without,
        ),
        trial("store_who_leaves_takes_nothing_along", leaving::who_leaves),
        trial("store_a_reboot_ends_with_a_code_of_its_own", reboots),
    ]
}

fn sqlite(run: &RunDir) -> String {
    format!("sqlite:{}?mode=rwc", run.data().join("bot.db").display())
}

fn options(url: &str) -> Vec<String> {
    vec![
        format!("--store={url}"),
        format!("--moderator-token={TOKEN}"),
        "--reminder-lease=15s".to_owned(),
        // Ann is quicker than people are
        "--user-per-minute=0".to_owned(),
        "--channel-per-minute=0".to_owned(),
    ]
}

/// Says something as Ann, and as a moderator where `token` is the right one.
async fn say(bot: &Bot, message: &str, token: &str) -> Result<(u16, Value)> {
    let body = json!({"message": message, "user": "Ann", "session": ANN});
    let request = e2e::http::client()?
        .post(bot.url("/chat"))
        .bearer_auth(token)
        .timeout(SOON)
        .json(&body);
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

async fn outcome(bot: &Bot, message: &str, token: &str) -> Result<String> {
    let (_, reply) = say(bot, message, token).await?;
    Ok(reply["outcome"].as_str().context("no outcome")?.to_owned())
}

/// What Ann was told unasked.
async fn told(bot: &Bot) -> Result<Vec<String>> {
    let text = e2e::http::get_text(&bot.url(&format!("/inbox?session={ANN}"))).await?;
    let items: Vec<Value> = serde_json::from_str(&text)?;
    let texts = items
        .iter()
        .map(|item| item["text"].as_str().map(str::to_owned));
    texts
        .collect::<Option<_>>()
        .context("an item without a text")
}

async fn await_told(bot: &Bot, count: usize) -> Result<Vec<String>> {
    await_condition("reminders to be delivered", SOON, || async {
        let told = told(bot).await?;
        Ok((told.len() >= count).then_some(told))
    })
    .await
}

async fn await_series(bot: &Bot, name: &str, value: f64) -> Result<()> {
    let what = format!("{name} to be {value}");
    await_condition(&what, SOON, || async {
        let now = series(&bot.metrics().await?, name);
        ensure!(now == Some(value), "it is {now:?}");
        Ok(Some(()))
    })
    .await
}

async fn stop_survives(run: &RunDir, url: &str) -> Result<()> {
    let bot = Bot::alone(run, "before", &options(url)).await?;
    ensure!(say(&bot, "!stop", "wrong").await?.0 == 401);
    ensure!(outcome(&bot, "!stop", "").await? == "denied");
    ensure!(outcome(&bot, "Hello!", "").await? == "ok");
    ensure!(outcome(&bot, "!stop for the night", TOKEN).await? == "ok");
    bot.kill()?;

    let bot = Bot::alone(run, "after", &options(url)).await?;
    for (message, expected) in [
        ("Hello!", "stopped"),
        ("!stats", "stopped"),
        ("!ping", "ok"),
        ("!start", "denied"),
    ] {
        let got = outcome(&bot, message, "").await?;
        ensure!(got == expected, "{message}: {got}");
    }
    let (_, status) = say(&bot, "!status", "").await?;
    let text = status["answer"].as_str().unwrap_or_default();
    ensure!(text.contains("stopped me: for the night"), "{text}");
    ensure!(
        status["animation"].is_null(),
        "a stopped bot does not celebrate"
    );
    ensure!(series(&bot.metrics().await?, "bot_stopped{scope=\"bot\"}") == Some(1.0));
    ensure!(outcome(&bot, "!start", TOKEN).await? == "ok");
    ensure!(outcome(&bot, "Hello!", "").await? == "ok");
    ensure!(bot.terminate().await?.success());
    Ok(())
}

async fn reminder_survives(run: &RunDir, url: &str) -> Result<()> {
    let bot = Bot::alone(run, "before", &options(url)).await?;
    ensure!(outcome(&bot, "!remind 2s tea is ready", "").await? == "ok");
    bot.kill()?;

    let bot = Bot::alone(run, "after", &options(url)).await?;
    let first = await_told(&bot, 1).await?;
    ensure!(first == ["tea is ready"], "{first:?}");
    await_series(&bot, "bot_reminders_pending", 0.0).await?;
    // killed and started once more, it does not say it again: a later one comes, and nothing beside it
    bot.kill()?;
    let bot = Bot::alone(run, "again", &options(url)).await?;
    ensure!(outcome(&bot, "!remind 1s cake", "").await? == "ok");
    let both = await_told(&bot, 2).await?;
    ensure!(both == ["tea is ready", "cake"], "{both:?}");
    // it is counted when that it was said is written down
    await_series(&bot, DELIVERED, 1.0).await
}

async fn two_replicas(run: Arc<RunDir>) -> Result<()> {
    let postgres = Postgres::start(&run, "postgres").await?;
    let options = options(&postgres.url());
    let (one, two) = tokio::try_join!(
        Bot::alone(&run, "one", &options),
        Bot::alone(&run, "two", &options),
    )?;
    for n in 0..20 {
        let bot = if n % 2 == 0 { &one } else { &two };
        let set = outcome(bot, &format!("!remind 2s number {n}"), "").await?;
        ensure!(set == "ok", "{set}");
    }
    await_told(&one, 20).await?;
    await_series(&one, "bot_reminders_pending", 0.0).await?;
    await_condition("each to be delivered once", SOON, || async {
        let mut delivered = 0.0;
        for bot in [&one, &two] {
            delivered += series(&bot.metrics().await?, DELIVERED).unwrap_or_default();
        }
        ensure!(
            (delivered - 20.0).abs() < 0.5,
            "{delivered} deliveries of 20 reminders"
        );
        Ok(Some(()))
    })
    .await?;

    // what one was told the other knows, since each looks once a second
    ensure!(outcome(&one, "!stop", TOKEN).await? == "ok");
    await_condition("the other replica to stop", SOON, || async {
        Ok((outcome(&two, "Hello!", "").await? == "stopped").then_some(()))
    })
    .await?;
    ensure!(outcome(&two, "!start", TOKEN).await? == "ok");
    await_condition("the first replica to start", SOON, || async {
        Ok((outcome(&one, "Hello!", "").await? == "ok").then_some(()))
    })
    .await?;
    // one person on both is one active user
    await_series(&two, "bot_active_users{window=\"hour\"}", 1.0).await?;
    for name in ["one", "two"] {
        let log = std::fs::read_to_string(run.logs().join(format!("{name}.log")))?;
        ensure!(
            !log.contains(postgres.password()),
            "the password is in the log of {name}"
        );
        ensure!(!log.contains(ANN), "a session is in the log of {name}");
    }
    Ok(())
}

async fn reboots(run: Arc<RunDir>) -> Result<()> {
    let bot = Bot::alone(&run, "bot", &options(&sqlite(&run))).await?;
    ensure!(say(&bot, "!reboot", "wrong").await?.0 == 401);
    ensure!(outcome(&bot, "!reboot", "").await? == "denied");
    let (status, reply) = say(&bot, "!reboot", TOKEN).await?;
    ensure!(status == 200, "{reply}");
    let ended = tokio::time::timeout(SOON, bot.exited()).await?;
    ensure!(ended.code() == Some(75), "{ended}");
    Ok(())
}
