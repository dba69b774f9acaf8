//! The bot's policy as it is shipped, with nothing changed: neither a threshold nor a time nor a name.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use brownout::api::conditions::{METRICS_AVAILABLE, condition};
use brownout::policy::State;
use e2e::bot::{self, Bot};
use e2e::harness::{Ctx, trial_within};
use e2e::load::Load;
use e2e::model_server::{Behaviour, ModelServer};
use e2e::prometheus::Prometheus;
use libtest_mimic::Trial;
use tokio_util::sync::CancellationToken;

use crate::autoscalers_support::await_bounds;
use crate::bot_manifests::{FOLDER, POLICY, commands, run, scratch};
use crate::support::{SOON, await_flags, await_level, await_replicas, await_status};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial_within(
        Duration::from_secs(420),
        "bot_policy_sees_the_quota_end",
        sees_the_quota_end,
    )]
}

const KEY: &str = "sk-only-0123456789";
const QUOTA: u32 = 300;
/// What people ask for: gone in two and a half minutes, and the policy has to have acted before.
const LOAD: Duration = Duration::from_millis(500);
/// Two minutes, and as much again where the hour turns meanwhile: then the quota holds, and is used up anew.
const FORECAST: Duration = Duration::from_secs(300);

async fn sees_the_quota_end(ctx: Ctx) -> Result<()> {
    run(&ctx, &format!("kubectl apply -k {FOLDER}/split")).await?;
    await_replicas(&ctx, "chatbotler-core-worker", 2).await?; // the least that its autoscaler allows
    let api = ModelServer::start(Behaviour::with_quota(QUOTA.into())).await?;
    let prometheus = ctx.own_prometheus().await?;
    let bot = bot_of_a_model(&ctx, &api, &prometheus).await?;
    let _operator = ctx.operator_asking(&prometheus.url()).await?;
    let [command] = &commands(POLICY)?[..] else {
        bail!("{POLICY} says in one line how to apply it");
    };
    run(&ctx, command).await?;
    bot.await_level(0, SOON).await?;
    await_status(&ctx, "chatbotler", "every signal to be read", |status| {
        condition(&status.conditions, METRICS_AVAILABLE).is_some_and(|seen| seen.status == "True")
    })
    .await?;

    let load = Load {
        message: "My server does not start, what now?".to_owned(),
        every: LOAD,
        count: 1200,
    };
    let (stop, door) = (CancellationToken::new(), bot.address());
    let until = stop.clone();
    let asking = tokio::spawn(async move { load.drive(door, &until).await });
    let status = bot.await_level(2, FORECAST).await;
    stop.cancel();
    asking.await??;
    let status = status?;

    ensure!(api.count(KEY) > 20, "the model was not asked");
    assert_eq!(api.count(KEY), api.served(KEY), "the quota was gone before");
    for (feature, wanted) in [
        ("animations", State::Disabled),
        ("deep-answers", State::Disabled),
        ("summaries", State::Disabled),
        ("ai-chat", State::Reduced),
        ("search", State::Reduced),
        ("reminders", State::Reduced),
        ("commands", State::Enabled),
    ] {
        assert_eq!(status.state(feature), wanted, "{feature}");
    }
    let (map, _) = await_flags(&ctx, "chatbotler-flags", 2).await?;
    let length = map.data.as_ref().and_then(|data| data.get("ai-chat"));
    assert_eq!(length.map(String::as_str), Some("96"));
    await_replicas(&ctx, "chatbotler-luxury-worker", 0).await?;
    await_bounds(&ctx, "chatbotler-core-worker", (3, 6)).await?;
    let status = await_level(&ctx, "chatbotler", 2).await?;
    for step in &status.history {
        assert_eq!(step.signal.as_deref(), Some("quota-ends-in"), "{step:?}");
    }
    Ok(())
}

async fn bot_of_a_model(ctx: &Ctx, api: &ModelServer, prometheus: &Prometheus) -> Result<Bot> {
    let keys = scratch(ctx, "keys", &format!("only:{KEY}\n"))?;
    let flags = "chatbotler-flags";
    let options = bot::Options {
        name: format!("{}-bot", ctx.namespace()),
        kubeconfig: bot::may_watch(ctx.cluster(), ctx.namespace(), "process", flags).await?,
        namespace: ctx.namespace().to_owned(),
        flags: flags.to_owned(),
        options: vec![
            format!("--ai-url={}", api.url()),
            "--ai-model=large".to_owned(),
            "--ai-small-model=small".to_owned(),
            format!("--ai-keys-file={}", keys.display()),
            format!("--ai-quota-hour={QUOTA}"),
        ],
    };
    let bot = Bot::start(&ctx.environment().run, &options).await?;
    bot.register(prometheus, &[("job", "chatbotler")])?;
    let up = "up{job=\"chatbotler\"}";
    prometheus.await_value(up, SOON, |up| up > 0.0).await?;
    Ok(bot)
}
