//! Gateway and workers as processes of their own, with a real NATS server between them.

mod cluster;
mod crashes;
mod gateways;
mod limits;
mod receipts;
mod rights;
mod roles;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::support::trial;
use support::{SOON, Split, await_series, sum};

pub(crate) fn tests() -> Vec<Trial> {
    let own = vec![
        trial("jobs_are_answered_through_the_queue", answers),
        trial("jobs_wait_for_no_luxury_worker", no_luxury_worker),
        trial("jobs_in_hand_are_finished_on_sigterm", drain),
        trial("jobs_that_cannot_be_finished_are_handed_back", hand_back),
    ];
    [
        own,
        cluster::tests(),
        crashes::tests(),
        gateways::tests(),
        limits::tests(),
        receipts::tests(),
        rights::tests(),
        roles::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn answers(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &["--luxury-patience=10s"]).await?;
    // an answer that is there before the queue's receipt leaves that uncounted
    let core = split.core_worker("core", &["--chat-ms=500"]).await?;
    let luxury = split.luxury_worker("luxury").await?;
    // until the gateway has noticed that somebody takes luxury, answers come without
    let asked = AtomicI64::new(0);
    await_condition("an animated answer", SOON, async || {
        asked.fetch_add(1, Ordering::Relaxed);
        let (status, reply, _) = split.chat(&gateway, "Hello!").await?;
        assert_eq!((status, reply["feature"].as_str()), (200, Some("ai-chat")));
        Ok(reply["animation"].is_object().then_some(()))
    })
    .await?;
    let asked = asked.into_inner();
    let ok = ["Important", "\"ok\""];
    assert_eq!(sum(&gateway, "bot_jobs_published_total", &ok).await?, asked);
    await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| {
        n == asked
    })
    .await?;
    await_series(&luxury, "bot_jobs_done_total Luxury \"ok\"", |n| n >= 1).await?;
    // a request is counted where it came in, and nowhere else
    let chat = ["ai-chat"];
    assert_eq!(sum(&gateway, "bot_arrivals_total", &chat).await?, asked);
    assert_eq!(sum(&core, "bot_arrivals_total", &chat).await?, 0);
    // what needs no worker does not go through the queue
    let (status, reply, _) = split.chat(&gateway, "!ping").await?;
    assert_eq!((status, reply["answer"].as_str()), (200, Some("Pong.")));
    let critical = ["Critical"];
    assert_eq!(
        sum(&gateway, "bot_jobs_published_total", &critical).await?,
        0
    );
    await_series(&gateway, "bot_jobs_waiting", |n| n == 0).await?;
    for bot in [gateway, core, luxury] {
        assert!(bot.terminate().await?.success());
    }
    Ok(())
}

async fn no_luxury_worker(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &["--deadline=15s"]).await?;
    let _core = split.core_worker("core", &[]).await?;
    let (status, reply, took) = split.chat(&gateway, "Hello!").await?;
    assert_eq!(status, 200, "{reply}");
    assert!(reply["animation"].is_null(), "{reply}");
    assert!(took < Duration::from_secs(12), "the answer waited {took:?}");
    let (status, reply, took) = split.chat(&gateway, "!stats").await?;
    assert_eq!((status, reply["outcome"].as_str()), (503, Some("shed")));
    assert!(took < Duration::from_secs(12), "the refusal took {took:?}");
    // a policy sees the demand though nobody takes it, and it does not pile up
    await_series(&gateway, "bot_jobs_waiting Luxury", |n| n > 0).await?;
    await_series(&gateway, "bot_jobs_waiting Luxury", |n| n == 0).await?;
    Ok(())
}

async fn drain(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    // a worker that is slow is not taken for a dead one
    let patient = ["--deadline=50s", "--ack-wait=60s"];
    let gateway = split.gateway("gateway", &patient).await?;
    let slow = ["--chat-ms=2000", "--workers-important=1"];
    let first = split.core_worker("first", &slow).await?;
    let in_hand = split.asks(&gateway, "Hello!");
    await_series(&first, "bot_jobs_taken_total Important", |n| n == 1).await?;
    let queued = split.asks(&gateway, "Hello again!");
    await_series(&gateway, "bot_jobs_published_total Important \"ok\"", |n| {
        n == 2
    })
    .await?;
    let second = split.core_worker("second", &[]);
    let (ended, second) = tokio::join!(first.terminate(), second);
    let second = second?;
    assert!(ended?.success());
    for asked in [in_hand, queued] {
        let (status, reply, _) = asked.await??;
        assert_eq!(status, 200, "{reply}");
    }
    await_series(&second, "bot_jobs_done_total Important \"ok\"", |n| n == 1).await?;
    Ok(())
}

async fn hand_back(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let patient = ["--deadline=55s", "--ack-wait=60s"];
    let gateway = split.gateway("gateway", &patient).await?;
    let slow = ["--chat-ms=40000", "--grace=2s", "--ack-wait=60s"];
    let first = split.core_worker("first", &slow).await?;
    let asked = split.asks(&gateway, "Hello!");
    await_series(&first, "bot_jobs_taken_total Important", |n| n == 1).await?;
    let second = split.core_worker("second", &["--ack-wait=60s"]).await?;
    let (_ended, asked) = tokio::join!(first.terminate(), asked);
    let (status, reply, took) = asked??;
    assert_eq!(status, 200, "{reply}");
    assert!(
        took < Duration::from_secs(50),
        "only the silence told: {took:?}"
    );
    await_series(&second, "bot_jobs_redelivered_total Important", |n| n == 1).await?;
    Ok(())
}
