//! Roles in the split: a worker, which never hears Discord, gives them.

use std::sync::Arc;

use anyhow::Result;
use e2e::discord::Discord;
use e2e::discord::events::Said;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::json;

use super::support::{SOON, Split, await_series};
use crate::support::trial;

const MODERATOR: u64 = 70;

pub(super) fn tests() -> Vec<Trial> {
    vec![trial("jobs_give_roles", give)]
}

async fn give(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let discord = Discord::start().await?;
    let mut options = discord.options();
    options.extend(["--discord-roles", "--discord-moderator-roles=77"].map(str::to_owned));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let gateway = split.gateway("gateway", &options).await?;
    let core = split.core_worker("core", &options).await?;
    await_series(&gateway, "bot_discord_connected", |n| n == 1).await?;
    discord.say(&Said::to_bot("!set roles Guest,Warden").by(MODERATOR, &[77]));
    await_condition("the setting", SOON, || async {
        Ok((discord.posts().len() == 1).then_some(()))
    })
    .await?;
    let role = |name: &str| {
        let name = json!([{"type": 3, "name": "role", "value": name}]);
        let options = json!([{"type": 1, "name": "add", "options": name}]);
        discord.interact("role", &options, 40, &[])
    };
    let answer = async |token: String| {
        await_condition("an answer", SOON, || async {
            Ok(discord.fulfilled(&token))
        })
        .await
    };
    // with a power that nobody gives to themselves
    answer(role("Warden")).await?;
    let given = answer(role("guest")).await?;
    let held = discord.with(|state| state.members.get(&40).cloned());
    assert_eq!(held, Some(vec!["51".to_owned()]), "{given}");
    await_series(&core, "bot_jobs_done_total Critical \"ok\"", |n| n == 2).await?;
    let asked = discord.calls("users/@me").len();
    assert_eq!(asked, 2, "each of the two is who it is");
    discord.assert_good_manners()
}
