//! The database goes away and comes back, and the bot lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::bot::Bot;
use e2e::postgres::Postgres;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;

use super::{SOON, TOKEN, await_series, options, outcome, say};
use crate::support::series;

/// So many reminders are set as fast as can be, and then one after each pause.
const FAST: u32 = 50;
const PACE: Duration = Duration::from_millis(50);

/// The database crashes, and is restarted, while reminders are being set: what was promised is kept.
pub(super) async fn restarts(run: Arc<RunDir>) -> Result<()> {
    let postgres = Postgres::start(&run, "postgres").await?;
    let bot = Bot::alone(&run, "bot", &options(&postgres.url())).await?;
    ensure!(outcome(&bot, "!set reminders-per-person 100", TOKEN).await? == "ok");
    let mut promised = Vec::new();
    for (round, crash) in [true, false].into_iter().enumerate() {
        let before: usize = reminders(&postgres).await?;
        let over = AtomicBool::new(false);
        let down = async {
            await_condition("reminders to be set", SOON, || async {
                // more than are asked for below: what is promised last may not be heard any more
                Ok((reminders(&postgres).await? > before + 6).then_some(()))
            })
            .await?;
            outage(&run, &bot, &postgres, crash).await?;
            over.store(true, Ordering::Relaxed);
            Ok(())
        };
        let load = async {
            let mut kept = Vec::new();
            for n in 0_u32.. {
                let text = format!("round {round} number {n}");
                if remind(&bot, "3s", &text).await? {
                    kept.push(text);
                }
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // as many as one person may have must not wait at once
                if n > FAST {
                    tokio::time::sleep(PACE).await;
                }
            }
            Ok::<_, anyhow::Error>(kept)
        };
        let ((), kept) = tokio::try_join!(down, load)?;
        ensure!(kept.len() > 3, "{kept:?}");
        promised.extend(kept);
        let text = format!("round {round} afterwards");
        ensure!(remind(&bot, "1s", &text).await?, "{text}");
        promised.push(text);
    }
    await_condition(
        "all that was promised to be delivered once",
        SOON,
        || async {
            let sql = "SELECT text, COUNT(*) FROM inbox GROUP BY text";
            let delivered = postgres.query(sql).await?;
            let delivered: Vec<&str> = delivered.lines().collect();
            for text in &promised {
                let line = format!("{text}|1");
                ensure!(
                    delivered.contains(&line.as_str()),
                    "{line} is missing: {delivered:?}"
                );
            }
            Ok(Some(()))
        },
    )
    .await?;
    await_series(&bot, "bot_reminders_pending", 0.0).await?;
    ensure!(
        series(
            &bot.metrics().await?,
            "bot_store_errors_total{operation=\"reminders\"}"
        ) > Some(0.0)
    );
    Ok(())
}

/// The database ends and comes back; meanwhile the bot does what needs no memory.
async fn outage(run: &RunDir, bot: &Bot, postgres: &Postgres, crash: bool) -> Result<()> {
    if crash {
        postgres.kill().await?;
    } else {
        postgres.stop().await?;
    }
    await_series(bot, "bot_store_up", 0.0).await?;
    ensure!(outcome(bot, "!ping", "").await? == "ok");
    for needs_it in ["!remind 1h lost", "!reminders"] {
        let (_, reply) = say(bot, needs_it, "").await?;
        let text = reply["answer"].as_str().unwrap_or_default();
        ensure!(text.contains("My memory fails me"), "{needs_it}: {text}");
    }
    ensure!(e2e::http::get_text(&bot.url("/readyz")).await.is_ok());
    postgres.start_again(run).await?;
    await_series(bot, "bot_store_up", 1.0).await
}

/// Whether the bot has promised it.
async fn remind(bot: &Bot, when: &str, text: &str) -> Result<bool> {
    let (_, reply) = say(bot, &format!("!remind {when} {text}"), "").await?;
    let answer = reply["answer"].as_str().unwrap_or_default();
    Ok(answer.starts_with("Gladly"))
}

async fn reminders(postgres: &Postgres) -> Result<usize> {
    Ok(postgres
        .query("SELECT COUNT(*) FROM reminders")
        .await?
        .parse()?)
}

/// A bot that is started while its database is not there answers, and remembers as soon as it is.
pub(super) async fn starts_without(run: Arc<RunDir>) -> Result<()> {
    let postgres = Postgres::start(&run, "postgres").await?;
    postgres.kill().await?;
    let bot = Bot::alone(&run, "bot", &options(&postgres.url())).await?;
    ensure!(outcome(&bot, "!ping", "").await? == "ok");
    let (_, status) = say(&bot, "!status", "").await?;
    let text = status["answer"].as_str().unwrap_or_default();
    ensure!(text.contains("My memory fails me"), "{text}");
    // a stop cannot wait for a database
    ensure!(outcome(&bot, "!stop fire", TOKEN).await? == "ok");
    ensure!(outcome(&bot, "Hello!", "").await? == "stopped");
    postgres.start_again(&run).await?;
    await_series(&bot, "bot_store_up", 1.0).await?;
    await_condition("the stop to be written down", SOON, || async {
        let reason = postgres.query("SELECT reason FROM stops").await?;
        Ok((reason == "fire").then_some(()))
    })
    .await
}
