//! Who is answered, and where.

use std::sync::Arc;

use anyhow::{Result, ensure};
use e2e::discord::events::Said;
use e2e::discord::{BOT, CHANNEL};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use super::scene::{DEADLINE, Scene};
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("discord_answers_by_a_reply", replies),
        trial("discord_leaves_friends_alone", friends),
        trial("discord_talks_in_a_thread", threads),
        trial("discord_calls_nobody", everyone),
        trial("discord_asks_for_no_more_than_it_needs", least),
    ]
}

async fn replies(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &["--discord-reactions"]).await?;
    let id = scene.discord.say(&Said::to_bot("!ping"));
    let answer = scene.answer(id).await?;
    assert_eq!(
        (answer.content.as_str(), answer.channel),
        ("Pong.", CHANNEL)
    );
    assert_eq!(answer.reply_to(), Some(id));
    assert_eq!(answer.body["enforce_nonce"], true);
    let direct = Said {
        guild: None,
        ..Said::new("hello").in_channel(CHANNEL + 1)
    };
    assert_eq!(scene.ask(&direct).await?.channel, CHANNEL + 1);
    let nod = |state: &mut e2e::discord::state::State| {
        state.reactions.iter().any(|r| (r.0, r.1) == (CHANNEL, id))
    };
    scene
        .until("a nod", || scene.discord.with(nod).then_some(()))
        .await?;
    // a post stands there before the bot hears that it does
    await_condition("two posts that Discord took", DEADLINE, || async {
        let posts = scene.series("bot_discord_posts_total{outcome=\"ok\"}");
        Ok((posts.await? >= 2.0).then_some(()))
    })
    .await?;
    assert!((scene.series("bot_discord_connected").await? - 1.0).abs() < 0.1);
    scene.close().await
}

async fn friends(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &["--discord-message-content"]).await?;
    let robot = Said {
        bot: true,
        ..Said::new("!ping")
    };
    let itself = Said::new("!ping").by(BOT, &[]);
    for said in [
        Said::new("$ignore !ping"),
        Said::to_bot("$ignore that, he is only joking"),
        Said::new("nice weather, is it not?"),
        Said::new("!play something"),
        robot,
        itself,
    ] {
        scene.discord.say(&said);
    }
    // whoever comes after them is answered, so they were heard
    let answer = scene.ask(&Said::new("!ping")).await?;
    assert_eq!(answer.content, "Pong.");
    assert!(scene.bot.terminate().await?.success());
    assert_eq!(
        scene.discord.posts().len(),
        1,
        "{:#?}",
        scene.discord.posts()
    );
    scene.discord.assert_good_manners()
}

async fn threads(run: Arc<RunDir>) -> Result<()> {
    let options = ["--discord-threads", "--discord-message-content"];
    let scene = Scene::open(&run, &options).await?;
    let first = scene.discord.say(&Said::to_bot("hello"));
    let answer = scene.answer(first).await?;
    assert_eq!(
        (answer.channel, answer.reply_to()),
        (first, None),
        "a thread of its own"
    );
    let inside = Said::new("tell me a joke").in_channel(first);
    let id = scene.discord.say(&inside);
    let answer = scene.answer(id).await?;
    assert_eq!((answer.channel, answer.reply_to()), (first, Some(id)));
    scene
        .discord
        .say(&Said::new("$ignore me").in_channel(first));
    scene.discord.say(&Said::new("did you hear that?"));
    let again = scene.ask(&Said::to_bot("and another one")).await?;
    assert_eq!(again.channel, first, "it goes on in the thread");
    let other = scene.discord.say(&Said::to_bot("hello").by(41, &[]));
    assert_eq!(scene.answer(other).await?.channel, other, "another person");
    // commands need no thread
    assert_eq!(scene.ask(&Said::to_bot("!ping")).await?.channel, CHANNEL);
    assert_eq!(scene.discord.posts().len(), 5);
    scene.close().await
}

async fn everyone(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let said = Said {
        name: "@everyone".to_owned(),
        ..Said::to_bot("hello @everyone <@&77>")
    };
    let answer = scene.ask(&said).await?;
    let token = scene.discord.slash("ask", &[("text", "hi @here")], 40, &[]);
    scene.fulfilled(&token).await?;
    let edited = scene.discord.fulfilled(&token).unwrap_or_default();
    for body in [&answer.body, &edited] {
        let mentions = &body["allowed_mentions"];
        assert_eq!(mentions["parse"], serde_json::json!([]), "{body}");
        assert!(
            mentions["users"].is_null() && mentions["roles"].is_null(),
            "{body}"
        );
    }
    scene.close().await
}

async fn least(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let intents = scene.discord.with(|state| state.identifies[0].1);
    assert_eq!(
        intents,
        (1 << 9) | (1 << 12),
        "messages of servers and direct ones"
    );
    let log = std::fs::read_to_string(scene.bot.log())?;
    let permissions = (1 << 10) | (1 << 11) | (1 << 16);
    let invite =
        format!("client_id={BOT}&scope=bot+applications.commands&permissions={permissions}\"");
    ensure!(log.contains(&invite), "no invite link in {log}");
    ensure!(
        !log.contains(e2e::discord::TOKEN),
        "the token is in the log"
    );
    scene.close().await
}
