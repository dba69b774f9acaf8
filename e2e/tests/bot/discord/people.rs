//! Slash commands, moderators, roles, reminders.

use std::sync::Arc;

use anyhow::Result;
use e2e::bot::Bot;
use e2e::discord::GUILD;
use e2e::discord::events::Said;
use e2e::discord::state::Fault;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::json;

use super::scene::{DEADLINE, Scene};
use crate::support::trial;

const MODERATOR: u64 = 70;
const MODERATORS: &str = "--discord-moderator-roles=77";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("discord_answers_slash_commands", slash),
        trial("discord_answers_kindly_that_nothing_was_asked", ignored),
        trial("discord_registers_its_commands_once", registers),
        trial("discord_registers_in_one_server", one_server),
        trial("discord_obeys_moderators", moderators),
        trial("discord_reboots_for_moderators", reboots),
        trial("discord_gives_roles", roles),
        trial("discord_reminds", reminds),
        trial(
            "discord_keeps_reminders_through_a_wrong_token",
            refused_token,
        ),
    ]
}

async fn slash(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let ping = scene.discord.slash("ping", &[], 40, &[]);
    assert_eq!(scene.fulfilled(&ping).await?, "Pong.");
    let status = scene.discord.slash("status", &[], 40, &[]);
    assert!(!scene.fulfilled(&status).await?.is_empty());
    let ask = scene
        .discord
        .slash("ask", &[("text", "tell me a joke")], 40, &[]);
    assert!(!scene.fulfilled(&ask).await?.is_empty());
    let promises = scene.discord.with(|state| state.promises.clone());
    assert!(
        promises
            .values()
            .all(|promise| promise.acknowledged.is_some())
    );
    assert!(promises[&status].ephemeral && !promises[&ping].ephemeral);
    assert!(scene.discord.posts().is_empty());
    scene.close().await
}

async fn ignored(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    for said in ["$ignore this one", "!$IGNORE", "!"] {
        let token = scene.discord.slash("ask", &[("text", said)], 40, &[]);
        assert!(!scene.fulfilled(&token).await?.is_empty(), "{said}");
        // a slip that holds no words at all is no secret
        let ephemeral = scene.discord.with(|state| state.promises[&token].ephemeral);
        assert_eq!(ephemeral, said != "!", "{said}");
    }
    let ignored = "bot_message_outcomes_total{door=\"discord\",outcome=\"ignored\"}";
    assert!((scene.series(ignored).await? - 2.0).abs() < 0.1);
    // none of it was refused by Discord and tried again
    await_condition("three answers that Discord took", DEADLINE, || async {
        let posts = scene.series("bot_discord_posts_total{outcome=\"ok\"}");
        Ok(((posts.await? - 3.0).abs() < 0.1).then_some(()))
    })
    .await?;
    scene.close().await
}

async fn one_server(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[&format!("--discord-guild={GUILD}")]).await?;
    let there = || {
        scene
            .discord
            .with(|state| state.guild_commands.get(&GUILD).map(Vec::len))
    };
    scene
        .until("the commands", || (there() == Some(14)).then_some(()))
        .await?;
    assert!(scene.discord.with(|state| state.commands.is_empty()));
    let calls = scene.discord.calls("commands");
    let place = format!("guilds/{GUILD}/commands");
    assert!(calls.iter().all(|call| call.path.ends_with(&place)));
    let ping = scene.discord.slash("ping", &[], 40, &[]);
    assert_eq!(scene.fulfilled(&ping).await?, "Pong.");
    scene.close().await
}

async fn reboots(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[MODERATORS]).await?;
    let denied = scene.discord.slash("reboot", &[], 40, &[]);
    assert!(scene.fulfilled(&denied).await?.contains("moderators"));
    assert_eq!(scene.ask(&Said::to_bot("!ping")).await?.content, "Pong.");

    let reboot = scene.discord.slash("reboot", &[], MODERATOR, &[77]);
    let ended = tokio::time::timeout(DEADLINE, scene.bot.exited()).await?;
    // by which whoever looks after the process knows to start it again
    assert_eq!(ended.code(), Some(75));
    // what it had promised was done before
    assert!(scene.fulfilled(&reboot).await?.contains("begin anew"));
    let gone = || (scene.discord.connected() == 0).then_some(());
    scene.until("the farewell to be heard", gone).await?;

    let mut options = scene.discord.options();
    options.push(MODERATORS.to_owned());
    let Scene { discord, .. } = scene;
    let bot = Bot::alone(&run, "again", &options).await?;
    let scene = Scene { discord, bot };
    scene.connected(1).await?;
    let talk = scene.ask(&Said::to_bot("hello")).await?;
    assert!(!talk.content.is_empty());
    assert!(scene.bot.terminate().await?.success());
    // of a process that was there before, it knows nothing
    let mut others = scene.discord.violations();
    others.retain(|what| what != "identified again within 5 s");
    assert!(others.is_empty(), "{others:?}");
    Ok(())
}

async fn registers(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let names = |scene: &Scene| scene.discord.with(|state| state.commands.len());
    scene
        .until("the commands", || (names(&scene) == 14).then_some(()))
        .await?;
    let stop = scene.discord.with(|state| {
        let stop = state.commands.iter().find(|c| c["name"] == "stop");
        stop.map(|c| c["default_member_permissions"].clone())
    });
    assert_eq!(stop, Some(json!((1_u64 << 40).to_string())));
    assert!(scene.bot.terminate().await?.success());
    let again = Bot::alone(&run, "again", &scene.discord.options()).await?;
    scene
        .until("the second look", || {
            let calls = scene.discord.calls("commands");
            (calls.iter().filter(|call| call.method == "GET").count() == 2).then_some(())
        })
        .await?;
    assert!(again.terminate().await?.success());
    let calls = scene.discord.calls("commands");
    assert_eq!(calls.iter().filter(|call| call.method == "PUT").count(), 1);
    Ok(())
}

async fn moderators(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[MODERATORS]).await?;
    let denied = scene.discord.slash("stop", &[], 40, &[]);
    assert!(scene.fulfilled(&denied).await?.contains("moderators"));
    let stop = scene.discord.slash("stop", &[], MODERATOR, &[77]);
    assert!(scene.fulfilled(&stop).await?.contains("stopped"));
    let talk = scene.ask(&Said::to_bot("hello")).await?;
    assert!(talk.content.contains("evening off"), "{}", talk.content);
    assert_eq!(scene.ask(&Said::to_bot("!ping")).await?.content, "Pong.");
    let start = scene
        .ask(&Said::to_bot("!start").by(MODERATOR, &[77]))
        .await?;
    assert!(start.content.contains("again"), "{}", start.content);
    let talk = scene.ask(&Said::to_bot("hello")).await?;
    assert!(!talk.content.contains("evening off"), "{}", talk.content);
    scene.close().await
}

async fn roles(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[MODERATORS, "--discord-roles"]).await?;
    let said = Said::to_bot("!roles");
    assert!(scene.ask(&said).await?.content.contains("not opened any"));
    // a warden may ban, and the owner stands above the bot
    let set = Said::to_bot("!set roles Guest,Warden,Owner").by(MODERATOR, &[77]);
    scene.ask(&set).await?;
    let listed = scene.ask(&said).await?.content;
    assert!(
        listed.contains("Guest") && !listed.contains("Warden"),
        "{listed}"
    );
    assert!(!listed.contains("Owner"), "{listed}");
    let role = |verb: &str, name: &str| {
        let name = json!([{"type": 3, "name": "role", "value": name}]);
        let options = json!([{"type": 1, "name": verb, "options": name}]);
        scene.discord.interact("role", &options, 40, &[])
    };
    let held = || {
        scene
            .discord
            .with(|s| s.members.get(&40).cloned().unwrap_or_default())
    };
    scene.fulfilled(&role("add", "guest")).await?;
    assert_eq!(held(), ["51"]);
    for name in ["Warden", "Owner", "Night owl", "@everyone"] {
        scene.fulfilled(&role("add", name)).await?;
        assert_eq!(held(), ["51"], "{name}");
    }
    scene.fulfilled(&role("remove", "Guest")).await?;
    assert!(held().is_empty());
    scene.close().await
}

async fn reminds(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    scene
        .ask(&Said::to_bot("!remind 1s tea for @everyone"))
        .await?;
    let reminder = scene
        .until("the reminder", || {
            let posts = scene.discord.posts();
            posts
                .into_iter()
                .find(|post| post.content.starts_with("<@40>"))
        })
        .await?;
    assert!(reminder.content.contains("tea"), "{}", reminder.content);
    assert_eq!(
        reminder.body["allowed_mentions"],
        json!({"parse": [], "users": ["40"]})
    );
    scene.close().await
}

/// As while somebody changes it: what is due then is said when it is right again.
async fn refused_token(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    scene.ask(&Said::to_bot("!remind 8s tea")).await?;
    scene
        .discord
        .fail("POST", "/messages", 2, Fault::Status(401));
    let reminder = scene.until("the reminder", || {
        let posts = scene.discord.posts();
        posts
            .into_iter()
            .find(|post| post.content.starts_with("<@40>"))
    });
    reminder.await?;
    let given_up = "bot_reminder_deliveries_total{event=\"given-up\"}";
    assert!(scene.series(given_up).await? < 0.1);
    let retried = "bot_reminder_deliveries_total{event=\"retried\"}";
    assert!((scene.series(retried).await? - 2.0).abs() < 0.1);
    scene.close().await
}
