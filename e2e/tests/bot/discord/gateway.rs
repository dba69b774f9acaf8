//! Lines break, and nothing is lost or said twice.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use e2e::bot::Bot;
use e2e::discord::events::Said;
use e2e::discord::{CHANNEL, Discord};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use super::scene::{DEADLINE, Scene};
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("discord_resumes_without_loss", resume),
        trial("discord_reconnects_when_asked", reconnect),
        trial("discord_begins_a_new_session", invalid),
        trial("discord_notices_a_dead_line", deaf),
        trial("discord_shards", shards),
        trial("discord_ends_on_a_wrong_token", token),
        trial("discord_ends_without_its_intents", intents),
        trial("discord_ends_on_every_close_that_is_final", closed),
    ]
}

/// Everything that was said is answered once.
async fn answered_once(scene: &Scene, ids: &[u64]) -> Result<()> {
    for &id in ids {
        scene.answer(id).await?;
    }
    let posts = scene.discord.posts();
    for &id in ids {
        let answers = posts.iter().filter(|post| post.reply_to() == Some(id));
        assert_eq!(answers.count(), 1, "{id}");
    }
    Ok(())
}

async fn resume(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let before = Said::to_bot("!ping");
    let mut ids = vec![scene.discord.say(&before)];
    scene.answer(ids[0]).await?;
    scene.discord.cut();
    for n in 1..4 {
        ids.push(
            scene
                .discord
                .say(&Said::to_bot("!ping").in_channel(CHANNEL + n)),
        );
    }
    scene.connected(1).await?;
    // what it has heard already, the gateway may say again
    scene.discord.say_again(ids[0], &before);
    ids.push(scene.discord.say(&Said::to_bot("!status")));
    answered_once(&scene, &ids).await?;
    let (identifies, resumes) = scene.discord.with(|s| (s.identifies.len(), s.resumes));
    assert_eq!((identifies, resumes), (1, 1));
    let resumed = "bot_discord_gateway_events_total{kind=\"resumed\"}";
    assert!((scene.series(resumed).await? - 1.0).abs() < 0.1);
    let repeated = "bot_discord_gateway_events_total{kind=\"repeated\"}";
    assert!((scene.series(repeated).await? - 1.0).abs() < 0.1);
    assert!((scene.series("bot_discord_reconnects_total").await? - 1.0).abs() < 0.1);
    assert_eq!(scene.discord.posts().len(), ids.len());
    scene.close().await
}

async fn reconnect(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    scene.discord.ask_to_reconnect();
    let ids = [scene.discord.say(&Said::to_bot("!ping"))];
    answered_once(&scene, &ids).await?;
    let resumed = |state: &mut e2e::discord::state::State| state.resumes == 1;
    scene
        .until("a resume", || scene.discord.with(resumed).then_some(()))
        .await?;
    assert_eq!(scene.discord.with(|state| state.identifies.len()), 1);
    scene.close().await
}

async fn invalid(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    scene.discord.invalidate();
    scene.connected(1).await?;
    assert_eq!(scene.discord.with(|state| state.identifies.len()), 2);
    let ids = [scene.discord.say(&Said::to_bot("!ping"))];
    answered_once(&scene, &ids).await?;
    scene.close().await
}

async fn deaf(run: Arc<RunDir>) -> Result<()> {
    let discord = Discord::start().await?;
    discord.with(|state| state.heartbeat_interval = 500);
    let scene = Scene::prepared(&run, discord, &[]).await?;
    await_condition("a heartbeat's latency", DEADLINE, || async {
        let count = scene.series("bot_discord_heartbeat_latency_seconds_count");
        Ok((count.await? > 0.0).then_some(()))
    })
    .await?;
    scene.discord.with(|state| state.deaf = true);
    let resumed = |state: &mut e2e::discord::state::State| state.resumes > 0;
    scene
        .until("a new connection", || {
            scene.discord.with(resumed).then_some(())
        })
        .await?;
    scene.discord.with(|state| state.deaf = false);
    let ids = [scene.discord.say(&Said::to_bot("!ping"))];
    answered_once(&scene, &ids).await?;
    scene.close().await
}

async fn shards(run: Arc<RunDir>) -> Result<()> {
    let discord = Discord::start().await?;
    let mut options = discord.options();
    options.push("--discord-shards=2".to_owned());
    let bot = Bot::alone(&run, "bot", &options).await?;
    let scene = Scene { discord, bot };
    scene.connected(2).await?;
    let ids = [scene.discord.say(&Said::to_bot("!ping"))];
    answered_once(&scene, &ids).await?;
    // Discord has begun both sessions before the bot hears so of each
    await_condition("two connected shards", DEADLINE, || async {
        let connected = scene.series("bot_discord_connected").await?;
        Ok(((connected - 2.0).abs() < 0.1).then_some(()))
    })
    .await?;
    let status = e2e::http::get_text(&scene.bot.url("/status")).await?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    let stands = serde_json::json!({"shards": 2, "connected": 2, "restarts": 0});
    assert_eq!(status["discord"], stands);
    scene.close().await
}

/// Starts a bot that Discord refuses, and waits until its log says so in these words.
async fn refused(run: &Arc<RunDir>, options: &[String], words: &str) -> Result<()> {
    refused_as(run, "refused", options, words).await
}

async fn refused_as(run: &Arc<RunDir>, name: &str, options: &[String], words: &str) -> Result<()> {
    // it may end before it is ready, or after
    let bot = Bot::alone(run, name, options).await;
    let log = run.logs().join(format!("{name}.log"));
    await_condition("the reason in the log", DEADLINE, || async {
        let text = std::fs::read_to_string(&log)?;
        Ok(text.contains(words).then_some(()))
    })
    .await?;
    if let Ok(bot) = bot
        && bot.terminate().await?.success()
    {
        bail!("it ended as if all were well");
    }
    Ok(())
}

async fn token(run: Arc<RunDir>) -> Result<()> {
    let discord = Discord::start().await?;
    let mut options = discord.options();
    options.push("--discord-token=wrong.token".to_owned());
    refused(&run, &options, "Discord refuses the token").await?;
    ensure!(discord.connected() == 0);
    Ok(())
}

async fn intents(run: Arc<RunDir>) -> Result<()> {
    let discord = Discord::start().await?;
    discord.with(|state| state.granted = !(1 << 15));
    let mut options = discord.options();
    options.push("--discord-message-content".to_owned());
    refused(&run, &options, "Message Content Intent").await?;
    discord.assert_good_manners()
}

async fn closed(run: Arc<RunDir>) -> Result<()> {
    for (code, words) in [
        (4004, "reset it on the page"),
        (4010, "correct --discord-shards"),
        (4011, "raise --discord-shards"),
        (4012, "update the bot"),
        (4013, "update the bot"),
        (4014, "Message Content Intent"),
    ] {
        let discord = Discord::start().await?;
        discord.with(|state| state.refuse = Some(code));
        let mut options = discord.options();
        // the first that is refused ends all of them
        options.push("--discord-shards=2".to_owned());
        let name = format!("refused-{code}");
        refused_as(&run, &name, &options, words).await?;
        let log = std::fs::read_to_string(run.logs().join(format!("{name}.log")))?;
        ensure!(log.matches(words).count() == 1, "{log}");
        ensure!(!log.contains("begun anew"), "{log}");
        let identifies = discord.with(|state| state.identifies.len());
        ensure!(identifies == 1, "{code}: {identifies} identifies");
        discord.assert_good_manners()?;
    }
    Ok(())
}
