//! The shipped configuration of NATS: who may hand in jobs, and who may only take them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event, ServerError};
use e2e::nats::Nats;
use e2e::paths;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use futures::StreamExt;
use libtest_mimic::Trial;
use serde_json::Value;

use super::support::{SOON, Split, await_series};
use crate::support::trial;

/// As numbers they would be others.
const GATEWAY: &str = "12e4567890abcdef";
const WORKER: &str = "0034567890abcdef";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("jobs_are_done_with_the_shipped_rights", answers),
        trial("jobs_cannot_be_handed_in_by_a_worker", forged),
    ]
}

async fn shipped(run: Arc<RunDir>) -> Result<Split> {
    let config = paths::checkout().join("manifests/chatbotler/split/nats.conf");
    let config = std::fs::read_to_string(config)?;
    let passwords = [
        ("GATEWAY_PASSWORD", format!("\"{GATEWAY}\"")),
        ("WORKER_PASSWORD", format!("\"{WORKER}\"")),
    ];
    let nats = Nats::start_configured(&run, "nats", &config, "/data", &passwords).await?;
    let gateway = nats.url_for("gateway", GATEWAY);
    let worker = nats.url_for("worker", WORKER);
    Split::over(run, nats, gateway, worker)
}

/// All that gateway and workers do to the queue, and nobody is refused.
async fn answers(run: Arc<RunDir>) -> Result<()> {
    let split = shipped(run).await?;
    let patient = ["--luxury-patience=20s", "--deadline=55s"];
    let core = split.core_worker("core", &["--chat-ms=1000"]).await?;
    let luxury = split.luxury_worker("luxury").await?;
    let gateway = split.gateway("gateway", &patient).await?;
    // until the gateway has noticed that somebody takes luxury, answers come without
    let asked = AtomicI64::new(0);
    await_condition("an animated answer", SOON, async || {
        asked.fetch_add(1, Ordering::Relaxed);
        let (status, reply, _) = split.chat(&gateway, "Hello!").await?;
        ensure!(status == 200, "{reply}");
        Ok(reply["animation"].is_object().then_some(()))
    })
    .await?;
    let before = asked.into_inner();
    let done = "bot_jobs_done_total Important \"ok\"";
    await_series(&core, done, |n| n == before).await?;
    await_series(&luxury, "bot_jobs_done_total Luxury \"ok\"", |n| n >= 1).await?;
    await_series(&gateway, "bot_jobs_waiting", |n| n == 0).await?;

    // an answer whose gateway is gone
    let other = split.gateway("other", &patient).await?;
    let session = "session-of-a-visitor";
    let asked = split.asks_as(&gateway, "Hello again!", session);
    let taken = "bot_jobs_taken_total Important";
    await_series(&core, taken, |n| n == before + 1).await?;
    gateway.kill()?;
    ensure!(asked.await?.is_err(), "its connection has ended");
    await_series(&other, "bot_jobs_adopted_total", |n| n == 1).await?;
    await_series(&core, done, |n| n == before + 1).await?;

    // jobs go back and others take them
    let asked = split.asks(&other, "Hello!");
    await_series(&core, taken, |n| n == before + 2).await?;
    core.kill()?;
    let next = split.core_worker("next", &[]).await?;
    let (status, reply, _) = asked.await??;
    ensure!(status == 200, "{reply}");
    for bot in [&gateway, &other, &core, &luxury, &next] {
        let log = std::fs::read_to_string(bot.log())?;
        ensure!(!log.to_lowercase().contains("violation"), "{log}");
        ensure!(!log.contains(GATEWAY) && !log.contains(WORKER), "{log}");
    }
    Ok(())
}

/// Somebody with a worker's password, and what the server has refused.
struct Intruder {
    client: Client,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Intruder {
    async fn connect(split: &Split) -> Result<Self> {
        let refused = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&refused);
        let options = ConnectOptions::with_user_and_password("worker".into(), WORKER.into())
            .custom_inbox_prefix("_INBOX.worker")
            .event_callback(move |event| {
                let heard = Arc::clone(&heard);
                async move {
                    if let Event::ServerError(ServerError::Other(text)) = event {
                        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                        heard.push(text.to_lowercase());
                    }
                }
            });
        let client = options.connect(split.nats.url()).await?;
        Ok(Self { client, refused })
    }

    async fn await_refusal(&self, what: &str) -> Result<()> {
        await_condition(&format!("{what} to be refused"), SOON, || async {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            ensure!(
                refused.iter().any(|text| text.contains(what)),
                "{refused:?}"
            );
            Ok(Some(()))
        })
        .await
    }
}

async fn forged(run: Arc<RunDir>) -> Result<()> {
    let split = shipped(run).await?;
    let gateway = split.gateway("gateway", &[]).await?;
    let core = split.core_worker("core", &[]).await?;
    ensure!(split.chat(&gateway, "Hello!").await?.0 == 200);
    await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| n == 1).await?;

    ensure!(
        async_nats::connect(split.nats.url()).await.is_err(),
        "nobody comes in without a password"
    );
    let intruder = Intruder::connect(&split).await?;
    for subject in [
        "chatbotler.jobs.critical",
        "chatbotler.jobs.important",
        "chatbotler.jobs.luxury",
        "$JS.API.STREAM.CREATE.mine",
        "$JS.API.STREAM.UPDATE.chatbotler-jobs",
        "$JS.API.STREAM.DELETE.chatbotler-jobs",
        "$JS.API.STREAM.PURGE.chatbotler-jobs",
        "$JS.API.STREAM.MSG.GET.chatbotler-jobs",
        "$JS.API.STREAM.MSG.DELETE.chatbotler-jobs",
        "$JS.API.CONSUMER.CREATE.chatbotler-jobs.mine",
        "$JS.API.CONSUMER.DELETE.chatbotler-jobs.important",
    ] {
        let forged = "{}".into();
        intruder.client.publish(subject, forged).await?;
        intruder
            .await_refusal(&format!("publish to \"{}\"", subject.to_lowercase()))
            .await?;
    }
    for subject in [
        "chatbotler.jobs.*",
        "chatbotler.replies.*",
        "chatbotler.orphans",
        ">",
        "_INBOX.>",
        "_INBOX.gateway.>",
    ] {
        let mut heard = intruder.client.subscribe(subject).await?;
        intruder
            .await_refusal(&format!("subscription to \"{}\"", subject.to_lowercase()))
            .await?;
        drop(tokio::time::timeout(Duration::ZERO, heard.next()).await);
    }
    let jobs = jetstream::new(intruder.client.clone());
    let forged = jobs
        .publish("chatbotler.jobs.important", "{}".into())
        .await?;
    ensure!(
        tokio::time::timeout(SOON, forged)
            .await
            .context("no end")?
            .is_err()
    );

    // it is all there, and nothing has come to the worker
    let (status, reply, _) = split.chat(&gateway, "Hello again!").await?;
    ensure!(
        (status, &reply["outcome"]) == (200, &Value::from("ok")),
        "{reply}"
    );
    let taken = await_series(&core, "bot_jobs_taken_total Important", |n| n >= 2).await?;
    ensure!(taken == 2, "{taken}");
    Ok(())
}
