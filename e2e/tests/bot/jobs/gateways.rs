//! Gateways that end while workers are at what they took in.

use std::sync::Arc;

use anyhow::Result;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::Value;

use super::support::{SOON, Split, await_series, sum};
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("jobs_of_a_killed_gateway_are_done", gateway_killed),
        trial("jobs_of_a_killed_gateway_are_answered_by_another", adopted),
        trial(
            "jobs_of_a_killed_gateway_are_answered_once_by_two_others",
            adopted_by_two,
        ),
        trial("jobs_of_a_stopping_gateway_are_answered_by_it", stopping),
    ]
}

async fn adopted(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &["--deadline=50s"]).await?;
    let other = split.gateway("other", &[]).await?;
    let core = split.core_worker("core", &["--chat-ms=2000"]).await?;
    let session = "session-of-a-visitor";
    let asked = split.asks_as(&gateway, "Hello!", session);
    await_series(&core, "bot_jobs_taken_total Important", |n| n == 1).await?;
    gateway.kill()?;
    assert!(asked.await?.is_err(), "its connection has ended");
    await_series(&other, "bot_jobs_adopted_total", |n| n == 1).await?;
    let inbox = other.url(&format!("/inbox?session={session}"));
    let inbox: Vec<Value> = serde_json::from_str(&e2e::http::get_text(&inbox).await?)?;
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert_eq!(
        sum(&core, "bot_jobs_unheard_total", &["Important"]).await?,
        0
    );
    Ok(())
}

async fn gateway_killed(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let patient = ["--gateway-id=front", "--deadline=50s"];
    let gateway = split.gateway("gateway", &patient).await?;
    // until the next one listens
    let core = split.core_worker("core", &["--chat-ms=2000"]).await?;
    let asked = split.asks(&gateway, "Hello!");
    await_series(&core, "bot_jobs_taken_total Important", |n| n == 1).await?;
    gateway.kill()?;
    assert!(asked.await?.is_err(), "its connection has ended");
    let next = split.gateway("next", &patient).await?;
    await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| n == 1).await?;
    await_series(&next, "bot_jobs_late_replies_total", |n| n == 1).await?;
    assert_eq!(
        sum(&core, "bot_jobs_unheard_total", &["Important"]).await?,
        0
    );
    let (status, reply, _) = split.chat(&next, "Hello again!").await?;
    assert_eq!(status, 200, "{reply}");
    Ok(())
}

/// Who was told what by a gateway that is left; both read it from the same store.
async fn adopted_by_two(run: Arc<RunDir>) -> Result<()> {
    const ASKED: usize = 30;
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &["--deadline=55s"]).await?;
    let others = [
        split.gateway("other", &[]).await?,
        split.gateway("another", &[]).await?,
    ];
    let slow = ["--chat-ms=1500", "--workers-important=30"];
    let core = split.core_worker("core", &slow).await?;
    let session = |n: usize| format!("session-of-visitor-{n:02}");
    let asked: Vec<_> = (0..ASKED)
        .map(|n| split.asks_as(&gateway, &format!("Hello {n}!"), &session(n)))
        .collect();
    let taken = "bot_jobs_taken_total Important";
    await_series(&core, taken, |n| n == 30).await?;
    gateway.kill()?;
    for answer in asked {
        assert!(answer.await?.is_err(), "its connection has ended");
    }
    // each answer has been said, and the queue told so
    let done = "bot_jobs_done_total Important \"ok\"";
    await_series(&core, done, |n| n == 30).await?;
    for n in 0..ASKED {
        let inbox = others[n % 2].url(&format!("/inbox?session={}", session(n)));
        let inbox: Vec<Value> = serde_json::from_str(&e2e::http::get_text(&inbox).await?)?;
        assert_eq!(inbox.len(), 1, "{n}: {inbox:?}");
    }
    let unheard = sum(&core, "bot_jobs_unheard_total", &["Important"]).await?;
    assert_eq!(unheard, 0);
    let mut adopted = Vec::new();
    for other in &others {
        adopted.push(sum(other, "bot_jobs_adopted_total", &[]).await?);
    }
    e2e::progress::say(format!("answers said by each of the two: {adopted:?}"));
    assert!(adopted.iter().sum::<i64>() >= 30, "{adopted:?}");
    Ok(())
}

async fn stopping(run: Arc<RunDir>) -> Result<()> {
    const ASKED: usize = 4;
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &["--deadline=50s"]).await?;
    let other = split.gateway("other", &[]).await?;
    let slow = ["--chat-ms=1000", "--workers-important=4"];
    let core = split.core_worker("core", &slow).await?;
    let asked: Vec<_> = (0..ASKED).map(|_| split.asks(&gateway, "Hello!")).collect();
    await_series(&core, "bot_jobs_taken_total Important", |n| n == 4).await?;
    let ready = gateway.url("/readyz");
    let leaving = async {
        await_condition("it to be not ready", SOON, || async {
            Ok(e2e::http::get_text(&ready).await.is_err().then_some(()))
        })
        .await
    };
    let (ended, left) = tokio::join!(gateway.terminate(), leaving);
    assert!(ended?.success());
    left?;
    for answer in asked {
        let (status, reply, _) = answer.await??;
        assert_eq!((status, &reply["outcome"]), (200, &Value::from("ok")));
    }
    let unheard = sum(&core, "bot_jobs_unheard_total", &["Important"]).await?;
    assert_eq!(unheard, 0);
    assert_eq!(sum(&other, "bot_jobs_adopted_total", &[]).await?, 0);
    Ok(())
}
