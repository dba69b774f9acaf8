//! The queue's bounds, and what comes twice.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use async_nats::jetstream::{self, message::PublishMessage};
use e2e::run_dir::RunDir;
use futures::StreamExt;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::support::{SOON, Split, await_series, sum};
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("jobs_beyond_the_queues_places_are_shed", full),
        trial("jobs_switched_off_while_queued_are_let_go", switched_off),
        trial("jobs_of_one_message_are_done_once", same_message),
        trial("jobs_nobody_can_read_are_put_aside", unreadable),
    ]
}

async fn full(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let options = ["--jobs-max=2", "--deadline=50s"];
    let gateway = split.gateway("gateway", &options).await?;
    let ok = "bot_jobs_published_total Important \"ok\"";
    let waiting: Vec<_> = (0..2).map(|_| split.asks(&gateway, "Hello!")).collect();
    await_series(&gateway, ok, |n| n == 2).await?;
    let (status, reply, took) = split.chat(&gateway, "Hello!").await?;
    assert_eq!((status, reply["outcome"].as_str()), (503, Some("shed")));
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(
        sum(&gateway, "bot_jobs_published_total", &["Important", "full"]).await?,
        1
    );
    await_series(&gateway, "bot_jobs_waiting Important", |n| n == 2).await?;
    await_series(&gateway, "bot_jobs_oldest_seconds Important", |n| n > 0).await?;
    // another tier has its own places
    let roles = split.asks(&gateway, "!roles");
    await_series(&gateway, "bot_jobs_published_total Critical \"ok\"", |n| {
        n == 1
    })
    .await?;
    let _core = split.core_worker("core", &["--jobs-max=2"]).await?;
    for asked in waiting {
        assert_eq!(asked.await??.0, 200);
    }
    // the worker's word: there are no roles outside of a server
    assert_eq!(roles.await??.0, 403);
    Ok(())
}

async fn switched_off(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(Arc::clone(&run)).await?;
    let flags = run.subfolder("flags")?;
    let option = format!("--flags-dir={}", flags.display());
    let heeds = [option.as_str(), "--flags-interval=100ms"];
    let gateway = split.gateway("gateway", &heeds).await?;
    let asked = split.asks(&gateway, "Hello!");
    await_series(&gateway, "bot_jobs_published_total Important \"ok\"", |n| {
        n == 1
    })
    .await?;
    let off = json!({
        "version": 1, "policy": "chatbotler", "level": 2, "levelName": "Minimal",
        "since": "2026-11-21T09:00:00Z", "epoch": 100, "reason": "",
        "features": {"ai-chat": {"state": "Disabled", "value": 0, "tier": "Important"}},
    });
    std::fs::write(flags.join("state.json"), off.to_string())?;
    let (status, reply, took) = asked.await??;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("off")));
    assert!(
        took < Duration::from_secs(15),
        "only the deadline told: {took:?}"
    );
    // a gateway that does not know yet: its worker does
    let unaware = split.gateway("unaware", &[]).await?;
    let core = split.core_worker("core", &heeds).await?;
    await_series(&core, "bot_flags_epoch", |n| n == 100).await?;
    let (status, reply, _) = split.chat(&unaware, "Hello!").await?;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("off")));
    await_series(&core, "bot_jobs_done_total Important \"off\"", |n| n >= 1).await?;
    assert_eq!(
        sum(&core, "bot_jobs_done_total", &["Important", "\"ok\""]).await?,
        0
    );
    Ok(())
}

async fn same_message(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let _makes_the_queue = split.gateway("gateway", &[]).await?;
    let core = split.core_worker("core", &[]).await?;
    await_series(&core, "bot_nats_connected", |n| n == 1).await?;
    let client = async_nats::connect(split.nats.url()).await?;
    let mut replies = client.subscribe("test.replies").await?;
    let jobs = jetstream::new(client.clone());
    e2e::wait::await_condition("the queue", SOON, || async {
        Ok(jobs.get_stream("chatbotler-jobs").await.ok())
    })
    .await?;
    let job = job("message-1", "Hello!")?;
    let publish = |id: &'static str| {
        let message = PublishMessage::build().message_id(id);
        let message = message.payload(job.clone().into());
        jobs.send_publish("chatbotler.jobs.important", message)
    };
    assert!(!publish("message-1").await?.await?.duplicate);
    assert!(publish("message-1").await?.await?.duplicate);
    let first = verdict(&client, &mut replies).await?;
    await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| n == 1).await?;
    // past the queue's own memory of ids: the store still knows
    assert!(!publish("another id").await?.await?.duplicate);
    assert_eq!(verdict(&client, &mut replies).await?, first);
    await_series(&core, "bot_jobs_repeated_total Important", |n| n == 1).await?;
    assert_eq!(sum(&core, "bot_jobs_taken_total", &["Important"]).await?, 2);
    assert_eq!(
        sum(&core, "bot_jobs_done_total", &["Important", "\"ok\""]).await?,
        1
    );
    Ok(())
}

async fn unreadable(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &[]).await?;
    let core = split.core_worker("core", &[]).await?;
    assert_eq!(split.chat(&gateway, "Hello!").await?.0, 200);
    let client = async_nats::connect(split.nats.url()).await?;
    let jobs = jetstream::new(client);
    jobs.publish("chatbotler.jobs.important", "{".into())
        .await?
        .await?;
    await_series(&core, "bot_jobs_done_total Important broken", |n| n == 1).await?;
    assert_eq!(split.chat(&gateway, "Hello!").await?.0, 200);
    Ok(())
}

/// A job as a gateway makes it.
fn job(id: &str, text: &str) -> Result<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = u64::try_from(now)?;
    Ok(serde_json::to_vec(&json!({
        "message": {
            "id": id, "door": "api", "text": text,
            "place": {"guild": null, "channel": "", "thread": null},
            "author": {"id": "", "name": "visitor", "moderator": false},
        },
        "feature": "ai-chat",
        "at": now, "take_by": now + 50_000, "deadline": now + 50_000,
        "reply_to": "test.replies",
    }))?)
}

/// Waits for a job's end, and confirms it as a gateway does.
async fn verdict(
    client: &async_nats::Client,
    replies: &mut async_nats::Subscriber,
) -> Result<Value> {
    let done = async {
        loop {
            let note = replies.next().await.context("no more replies")?;
            if let Some(receipt) = note.reply {
                client.publish(receipt, "".into()).await?;
            }
            let note: Value = serde_json::from_slice(&note.payload)?;
            if note["done"].is_object() {
                return Ok(note["done"]["verdict"].clone());
            }
        }
    };
    tokio::time::timeout(SOON, done).await?
}
