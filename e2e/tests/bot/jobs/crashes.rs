//! Whatever ends in the middle of a job: nothing accepted is lost, and nothing is done twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::Value;

use super::support::{SOON, Split, await_series, sum};
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("jobs_of_a_killed_worker_are_done_by_another", worker_killed),
        trial("jobs_that_kill_their_workers_are_given_up", dead),
        trial("jobs_survive_a_killed_queue_under_load", queue_killed),
        trial(
            "jobs_leave_one_effect_however_often_workers_die",
            one_effect,
        ),
        trial("jobs_in_hand_and_queued_survive_a_killed_queue", backlog),
        trial("jobs_without_a_queue_are_declined_at_once", no_queue),
    ]
}

async fn worker_killed(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &[]).await?;
    let first = split.core_worker("first", &["--chat-ms=4000"]).await?;
    let asked = split.asks(&gateway, "Hello!");
    await_series(&first, "bot_jobs_taken_total Important", |n| n == 1).await?;
    first.kill()?;
    let second = split.core_worker("second", &[]).await?;
    let (status, reply, _) = asked.await??;
    assert_eq!(status, 200, "{reply}");
    await_series(&second, "bot_jobs_done_total Important \"ok\"", |n| n == 1).await?;
    assert_eq!(
        sum(&second, "bot_jobs_redelivered_total", &["Important"]).await?,
        1
    );
    assert_eq!(
        sum(&second, "bot_jobs_repeated_total", &["Important"]).await?,
        0
    );
    Ok(())
}

async fn dead(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let patient = ["--deadline=55s"];
    let gateway = split.gateway("gateway", &patient).await?;
    let asked = split.asks(&gateway, "Hello!");
    for n in 1..=3 {
        let name = format!("victim-{n}");
        let slow = ["--chat-ms=60000", "--log=chatbotler=debug"];
        let worker = split.core_worker(&name, &slow).await?;
        await_series(&worker, "bot_jobs_taken_total Important", |n| n >= 1).await?;
        e2e::wait::await_condition("the job to be begun", SOON, || async {
            let log = std::fs::read_to_string(worker.log())?;
            Ok(log.contains("a job is begun").then_some(()))
        })
        .await?;
        worker.kill()?;
    }
    let last = split.core_worker("last", &[]).await?;
    let (status, reply, _) = asked.await??;
    assert_eq!((status, reply["outcome"].as_str()), (504, Some("error")));
    // its gateway hears of it before that is counted
    await_series(&last, "bot_jobs_done_total Important \"dead\"", |n| n == 1).await?;
    Ok(())
}

async fn queue_killed(run: Arc<RunDir>) -> Result<()> {
    const ASKED: usize = 240;
    let mut split = Split::start(Arc::clone(&run)).await?;
    let gateway = split.gateway("gateway", &[]).await?;
    let core = split.core_worker("core", &["--chat-ms=40"]).await?;
    let mut asked = Vec::with_capacity(ASKED);
    let mut pace = tokio::time::interval(Duration::from_millis(25));
    for n in 0..ASKED {
        pace.tick().await;
        asked.push(split.asks(&gateway, &format!("Hello {n}!")));
        if n == ASKED / 3 {
            split.nats.kill()?;
        }
        if n == ASKED / 2 {
            split.nats.start_again(&run).await?;
        }
    }
    let mut outcomes = BTreeMap::<u16, usize>::new();
    for answer in asked {
        let (status, reply, _) = answer.await?.context("one has had no answer")?;
        assert!(
            reply["answer"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        *outcomes.entry(status).or_default() += 1;
    }
    e2e::progress::say(format!("statuses through the queue's death: {outcomes:?}"));
    assert_eq!(outcomes.values().sum::<usize>(), ASKED);
    assert!(
        outcomes
            .keys()
            .all(|status| [200, 503, 504].contains(status)),
        "{outcomes:?}"
    );
    assert!(
        outcomes.get(&200).is_some_and(|&n| n > ASKED / 4),
        "{outcomes:?}"
    );
    await_series(&gateway, "bot_nats_connected", |n| n == 1).await?;
    let (status, reply, _) = split.chat(&gateway, "Are you back?").await?;
    assert_eq!(status, 200, "{reply}");

    await_series(&gateway, "bot_jobs_waiting Important", |n| n == 0).await?;
    let arrived = sum(&gateway, "bot_arrivals_total", &["ai-chat"]).await?;
    let ended = sum(&gateway, "bot_requests_total", &["ai-chat"]).await?;
    assert_eq!((arrived, ended), (241, 241));
    let answered = sum(&gateway, "bot_requests_total", &["ai-chat", "\"ok\""]).await?;
    let accepted = sum(
        &gateway,
        "bot_jobs_published_total",
        &["Important", "\"ok\""],
    )
    .await?;
    // the queue knows that a job is done before that is counted
    let counted = await_condition("what was done to be counted", SOON, || async {
        let done = sum(&core, "bot_jobs_done_total", &["Important", "\"ok\""]).await?;
        let late = sum(&core, "bot_jobs_done_total", &["Important", "\"late\""]).await?;
        // one that was accepted without a receipt may be done as well, so not fewer than were accepted
        ensure!(
            done + late >= accepted && done >= answered,
            "of {accepted} accepted and {answered} answered, {done} are done and {late} late"
        );
        Ok(Some((done, late)))
    });
    let (done, late) = counted.await?;
    let repeated = sum(&core, "bot_jobs_repeated_total", &["Important"]).await?;
    let again = sum(&core, "bot_jobs_redelivered_total", &["Important"]).await?;
    e2e::progress::say(format!(
        "accepted {accepted}, done {done}, late {late}, answered {answered}, delivered again {again}, repeated {repeated}"
    ));
    assert!(done <= arrived, "something was done twice");
    Ok(())
}

/// Reminders are what a job leaves in the store: each is set once, though three workers end in the middle.
async fn one_effect(run: Arc<RunDir>) -> Result<()> {
    const WAVE: usize = 40;
    let split = Split::start(run).await?;
    let gateway = split.gateway("gateway", &["--deadline=50s"]).await?;
    let mut worker = split.core_worker("worker-0", &[]).await?;
    let mut asked = Vec::with_capacity(WAVE * 3);
    let mut again = 0;
    let session = |n: usize| format!("session-of-visitor-{n}");
    for wave in 1..=3 {
        let before = sum(&worker, "bot_jobs_taken_total", &["Important"]).await?;
        for _ in 0..WAVE {
            let visitor = session(asked.len());
            asked.push(split.asks_as(&gateway, "!remind 1h tea is ready", &visitor));
        }
        await_series(&worker, "bot_jobs_taken_total Important", |n| n > before).await?;
        again += sum(&worker, "bot_jobs_redelivered_total", &["Important"]).await?;
        worker.kill()?;
        worker = split.core_worker(&format!("worker-{wave}"), &[]).await?;
    }
    for answer in &mut asked {
        let (status, reply, _) = answer.await??;
        assert_eq!(status, 200, "{reply}");
    }
    for n in 0..asked.len() {
        let (status, reply, _) = split.asks_as(&gateway, "!reminders", &session(n)).await??;
        let list = reply["answer"].as_str().unwrap_or_default();
        assert_eq!(
            (status, list.matches("tea is ready").count()),
            (200, 1),
            "{list}"
        );
    }
    again += sum(&worker, "bot_jobs_redelivered_total", &["Important"]).await?;
    e2e::progress::say(format!(
        "{} reminders, each set once; at least {again} were in the hands of workers that were killed",
        asked.len()
    ));
    Ok(())
}

/// Jobs are being done and others wait when the queue dies; all were accepted, so all are answered.
async fn backlog(run: Arc<RunDir>) -> Result<()> {
    const ASKED: usize = 12;
    let mut split = Split::start(Arc::clone(&run)).await?;
    let gateway = split.gateway("gateway", &["--deadline=50s"]).await?;
    let slow = ["--chat-ms=250", "--workers-important=2"];
    let core = split.core_worker("core", &slow).await?;
    let asked: Vec<_> = (0..ASKED).map(|_| split.asks(&gateway, "Hello!")).collect();
    await_series(&gateway, "bot_jobs_published_total Important \"ok\"", |n| {
        n == 12
    })
    .await?;
    await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| n >= 2).await?;
    split.nats.kill()?;
    await_series(&core, "bot_nats_connected", |n| n == 0).await?;
    split.nats.start_again(&run).await?;
    for answer in asked {
        let (status, reply, _) = answer.await??;
        assert_eq!(status, 200, "{reply}");
    }
    let done = await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| n >= 12);
    assert_eq!(done.await?, 12, "something was done twice");
    let again = sum(&core, "bot_jobs_redelivered_total", &["Important"]).await?;
    let repeated = sum(&core, "bot_jobs_repeated_total", &["Important"]).await?;
    e2e::progress::say(format!(
        "delivered again {again}, answers repeated {repeated}"
    ));
    Ok(())
}

async fn no_queue(run: Arc<RunDir>) -> Result<()> {
    let mut split = Split::start(Arc::clone(&run)).await?;
    let gateway = split.gateway("gateway", &[]).await?;
    let _core = split.core_worker("core", &[]).await?;
    split.nats.kill()?;
    await_series(&gateway, "bot_nats_connected", |n| n == 0).await?;
    for (message, status, outcome) in [
        ("!ping", 200, "ok"),
        ("!help", 200, "ok"),
        ("!status", 200, "ok"),
        ("Hello!", 503, "shed"),
        ("!summary", 503, "shed"),
    ] {
        let (got, reply, took) = split.chat(&gateway, message).await?;
        assert_eq!(
            (got, &reply["outcome"]),
            (status, &Value::from(outcome)),
            "{message}"
        );
        assert!(took < Duration::from_secs(3), "{message} took {took:?}");
    }
    split.nats.start_again(&run).await?;
    let back = e2e::wait::await_condition("an answer", SOON, || async {
        let (status, reply, _) = split.chat(&gateway, "Hello!").await?;
        anyhow::ensure!(status == 200, "{status} {reply}");
        Ok(Some(reply))
    });
    assert_eq!(back.await?["feature"], "ai-chat");
    Ok(())
}
