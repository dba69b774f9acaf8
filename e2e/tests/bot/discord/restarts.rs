//! The process ends in the middle, and the next one goes on: nothing is lost, and nothing is answered twice.

mod scene;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::discord::events::Said;
use e2e::discord::state::Fault;
use e2e::discord::{CHANNEL, Discord};
use e2e::postgres::Postgres;
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;

use crate::support::trial;
use scene::{Restarts, SLOW};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial(
            "discord_killed_in_the_middle_answers_once",
            killed_on_sqlite,
        ),
        trial(
            "discord_killed_in_the_middle_answers_once_on_postgres",
            killed_on_postgres,
        ),
        trial("discord_killed_after_a_post_posts_once", posted),
        trial("discord_killed_remembers_threads", threads),
        trial("discord_killed_keeps_its_word_to_a_slash_command", slash),
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

async fn killed_on_sqlite(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    killed(&restarts).await
}

async fn killed_on_postgres(run: Arc<RunDir>) -> Result<()> {
    let postgres = Postgres::start(&run, "postgres").await?;
    let restarts = Restarts::new(&run, &postgres.url(), &[]).await?;
    killed(&restarts).await
}

/// A talk is under way, and a command after it is answered, when the process dies; another talk comes while
/// there is none.
async fn killed(restarts: &Restarts) -> Result<()> {
    let discord = &restarts.discord;
    let first = restarts.start("first", SLOW).await?;
    let talk = discord.say(&Said::to_bot("hello"));
    restarts.await_talks(&first, 1.0).await?;
    let command = discord.say(&Said::to_bot("!ping").in_channel(CHANNEL + 1));
    restarts.answer(command).await?;
    // two claims, one that is done, and one look at what is old
    let asked = "bot_store_duration_seconds_count{operation=\"jobs\"}";
    restarts.await_series(&first, asked, 4.0).await?;
    first.kill()?;
    drop(first);
    let missed = discord.say(&Said::to_bot("are you there?").in_channel(CHANNEL + 2));
    ensure!(restarts.answers(talk) == 0 && restarts.answers(missed) == 0);

    let second = restarts.start("second", &[]).await?;
    for id in [talk, missed, command] {
        restarts.answer(id).await?;
    }
    let after = discord.say(&Said::to_bot("!ping").in_channel(CHANNEL + 3));
    restarts.answer(after).await?;
    restarts
        .await_series(
            &second,
            "bot_discord_gateway_events_total{kind=\"repeated\"}",
            1.0,
        )
        .await?;
    assert!(second.terminate().await?.success());
    restarts.expect_sessions(1, 1)?;
    restarts.expect_once(&[talk, missed, command, after])?;
    assert_eq!(
        discord.calls("messages").len(),
        4,
        "nobody relies on the nonce"
    );
    discord.assert_good_manners()
}

/// The post stands there, and the process dies before it knows.
async fn posted(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    let discord = &restarts.discord;
    let first = restarts.start("first", &[]).await?;
    let hung = Fault::Hung(Duration::from_secs(60));
    discord.fail("POST", "messages", 1, hung);
    let id = discord.say(&Said::to_bot("!ping"));
    restarts.answer(id).await?;
    first.kill()?;
    drop(first);
    let second = restarts.start("second", &[]).await?;
    restarts
        .until("the same post again", || {
            (discord.calls("messages").len() == 1).then_some(())
        })
        .await?;
    let calls = discord.calls("messages");
    assert_eq!(calls[0].body["nonce"], id.to_string());
    assert!(second.terminate().await?.success());
    restarts.expect_once(&[id])?;
    // once it is known to be answered, the nonce has nothing to do any more
    let third = restarts.start("third", &[]).await?;
    assert!(third.terminate().await?.success());
    assert_eq!(discord.calls("messages").len(), 1);
    restarts.expect_sessions(1, 2)
}

async fn threads(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &["--discord-threads"]).await?;
    let discord = &restarts.discord;
    let first = restarts.start("first", &[]).await?;
    let talk = discord.say(&Said::to_bot("hello"));
    assert_eq!(restarts.answer(talk).await?.channel, talk);
    first.kill()?;
    drop(first);
    let second = restarts.start("second", &[]).await?;
    let again = discord.say(&Said::to_bot("and another one"));
    let answer = restarts.answer(again).await?;
    assert_eq!(answer.channel, talk, "it goes on in the thread");
    let other = discord.say(&Said::to_bot("hello").by(41, &[]));
    assert_eq!(restarts.answer(other).await?.channel, other);
    // a thread that is gone is nobody's, in the next process as well
    discord.with(|state| state.threads.remove(&talk));
    let gone = discord.say(&Said::to_bot("still there?"));
    assert_eq!(restarts.answer(gone).await?.channel, CHANNEL);
    assert!(second.terminate().await?.success());
    let third = restarts.start("third", &[]).await?;
    let anew = discord.say(&Said::to_bot("hello again"));
    assert_eq!(restarts.answer(anew).await?.channel, anew);
    assert!(third.terminate().await?.success());
    discord.assert_good_manners()
}

/// Whoever was told that an answer comes gets it; whoever was not has been told by Discord to try again.
async fn slash(run: Arc<RunDir>) -> Result<()> {
    let restarts = Restarts::on_sqlite(&run, &[]).await?;
    let discord = &restarts.discord;
    let first = restarts.start("first", SLOW).await?;
    let promised = discord.slash("ask", &[("text", "tell me a joke")], 40, &[]);
    restarts.await_talks(&first, 1.0).await?;
    first.kill()?;
    drop(first);
    let missed = discord.slash("ping", &[], 41, &[]);
    // Discord has given it up by then
    let old = || {
        let made = discord.with(|state| state.promises[&missed].made);
        (made.elapsed() > Duration::from_secs(4)).then_some(())
    };
    restarts.until("the command to be old", old).await?;
    let second = restarts.start("second", &[]).await?;
    let fulfilled = || discord.fulfilled(&promised);
    restarts.until("the promised answer", fulfilled).await?;
    restarts
        .await_series(
            &second,
            "bot_discord_gateway_events_total{kind=\"late\"}",
            1.0,
        )
        .await?;
    assert!(discord.fulfilled(&missed).is_none());
    let ping = discord.slash("ping", &[], 42, &[]);
    restarts
        .until("an answer as ever", || discord.fulfilled(&ping))
        .await?;
    assert!(second.terminate().await?.success());
    assert_eq!(discord.calls("callback").len(), 2, "promised and ping");
    restarts.expect_sessions(1, 1)?;
    discord.assert_good_manners()
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
    anew(&restarts, |discord| discord.forget()).await
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
    let say = |n| discord.say(&Said::to_bot("!ping").in_channel(CHANNEL + n));
    let ids: Vec<u64> = (1..20).map(say).collect();
    for &id in &ids {
        restarts.answer(id).await?;
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
