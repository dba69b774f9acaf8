//! Which session the next process goes on with, and whether it is alone.

use std::sync::Arc;

use anyhow::Result;
use e2e::discord::events::Said;
use e2e::discord::{CHANNEL, Discord};
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;

use super::scene::Restarts;
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("discord_told_to_stop_misses_nothing", told_to_stop),
        trial(
            "discord_begins_anew_when_its_session_is_forgotten",
            forgotten,
        ),
        trial("discord_begins_anew_when_its_place_is_refused", |run| {
            refused(run, 4007)
        }),
        trial("discord_begins_anew_when_its_session_is_over", |run| {
            refused(run, 4009)
        }),
        trial("discord_is_answered_once_by_two_processes", two),
        trial("discord_is_answered_without_a_database", no_database),
    ]
}

async fn told_to_stop(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    let discord = &restarts.discord;
    let mut ids = Vec::new();
    for name in ["first", "second", "third"] {
        let bot = restarts.start(name, &[]).await?;
        let channel = CHANNEL + 1 + ids.len() as u64;
        ids.push(discord.say(&Said::to_bot("!ping").in_channel(channel)));
        for &id in &ids {
            restarts.answer(id).await?;
        }
        assert!(bot.terminate().await?.success());
        let missed = Said::to_bot("hello").in_channel(channel + 100);
        ids.push(discord.say(&missed));
    }
    let last = restarts.start("last", &[]).await?;
    for &id in &ids {
        restarts.answer(id).await?;
    }
    assert!(last.terminate().await?.success());
    restarts.expect_once(&ids)?;
    assert_eq!(discord.calls("messages").len(), ids.len());
    restarts.expect_sessions(1, 3)?;
    discord.assert_good_manners()
}

async fn forgotten(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    anew(&restarts, Discord::forget).await
}

async fn refused(run: Arc<RunDir>, code: u16) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    let refuse = |discord: &Discord| discord.with(|state| state.refuse_resumes = Some(code));
    anew(&restarts, refuse).await
}

/// A session that Discord does not know any more is forgotten here too, and the next one is kept.
async fn anew(restarts: &Restarts, spoil: impl Fn(&Discord)) -> Result<()> {
    let discord = &restarts.discord;
    let first = restarts.start("first", &[]).await?;
    let before = discord.say(&Said::to_bot("!ping"));
    restarts.answer(before).await?;
    first.kill()?;
    drop(first);
    spoil(discord);
    restarts.await_identify().await?;
    let second = restarts.start("second", &[]).await?;
    let after = discord.say(&Said::to_bot("!ping").in_channel(CHANNEL + 1));
    restarts.answer(after).await?;
    restarts.expect_sessions(2, 0)?;
    second.kill()?;
    drop(second);
    discord.with(|state| state.refuse_resumes = None);
    let missed = discord.say(&Said::to_bot("!ping").in_channel(CHANNEL + 2));
    let third = restarts.start("third", &[]).await?;
    restarts.answer(missed).await?;
    assert!(third.terminate().await?.success());
    restarts.expect_once(&[before, after, missed])?;
    restarts.expect_sessions(2, 1)?;
    discord.assert_good_manners()
}

/// Two processes hear the same; the session of the first is left alone while it lives.
async fn two(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    let discord = &restarts.discord;
    let first = restarts.start("first", &[]).await?;
    restarts.await_identify().await?;
    let second = restarts.start("second", &[]).await?;
    restarts.expect_sessions(2, 0)?;
    let mut ids = Vec::new();
    for n in 1..20 {
        // one by one: where a busy disk makes many claims wait, both answer rather than nobody
        let id = discord.say(&Said::to_bot("!ping").in_channel(CHANNEL + n));
        restarts.answer(id).await?;
        ids.push(id);
    }
    assert!(first.terminate().await?.success());
    assert!(second.terminate().await?.success());
    restarts.expect_once(&ids)?;
    assert_eq!(
        discord.calls("messages").len(),
        ids.len(),
        "each was posted by one of them"
    );
    discord.assert_good_manners()
}

async fn no_database(run: Arc<RunDir>) -> Result<()> {
    let nowhere = "postgres://bot:secret@127.0.0.1:9/bot";
    let restarts = Restarts::new(&run, nowhere, &["--discord-threads"]).await?;
    let discord = &restarts.discord;
    let bot = restarts.start("bot", &[]).await?;
    let command = Said::to_bot("!ping");
    let ping = discord.say(&command);
    restarts.answer(ping).await?;
    let talk = discord.say(&Said::to_bot("hello"));
    assert_eq!(restarts.answer(talk).await?.channel, talk);
    let again = discord.say(&Said::to_bot("hello"));
    assert_eq!(restarts.answer(again).await?.channel, talk);
    discord.say_again(ping, &command);
    restarts
        .await_series(
            &bot,
            "bot_discord_gateway_events_total{kind=\"repeated\"}",
            1.0,
        )
        .await?;
    assert!(bot.terminate().await?.success());
    restarts.expect_once(&[ping])?;
    discord.assert_good_manners()
}
