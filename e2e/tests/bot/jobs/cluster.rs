//! Three servers keep the queue: one of them may be lost at any time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::{self, stream::Info};
use e2e::bot::Bot;
use e2e::nats::NatsCluster;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use super::support::{SOON, Split, await_series, sum};
use crate::support::trial;

const STREAM: &str = "chatbotler-jobs";

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("jobs_survive_the_loss_of_the_queues_leader", leader_killed),
        trial(
            "jobs_go_on_where_the_replicas_cannot_be_had",
            too_few_servers,
        ),
    ]
}

async fn stream(url: &str) -> Result<Info> {
    let client = async_nats::ConnectOptions::new().connect(servers(url)?);
    let mut stream = jetstream::new(client.await?).get_stream(STREAM).await?;
    Ok(stream.info().await?.clone())
}

fn servers(url: &str) -> Result<Vec<async_nats::ServerAddr>> {
    Ok(url.split(',').map(str::parse).collect::<Result<_, _>>()?)
}

/// Waits until so many servers have all of it, and names the one that leads them.
async fn await_replicas(url: &str, replicas: usize) -> Result<String> {
    await_condition("the replicas of the queue", SOON, || async {
        let info = stream(url).await?;
        let cluster = info.cluster.context("no cluster")?;
        let current = cluster.replicas.iter().filter(|peer| peer.current).count();
        ensure!(
            info.config.num_replicas == replicas && current + 1 == replicas,
            "{} wanted, {cluster:?}",
            info.config.num_replicas
        );
        Ok(cluster.leader)
    })
    .await
}

async fn leader_killed(run: Arc<RunDir>) -> Result<()> {
    const ASKED: usize = 240;
    let nats = NatsCluster::start(&run, "nats").await?;
    let url = nats.url();
    let split = Split::over(run, nats, url.clone(), url.clone())?;
    // as it was before there were three
    let before = split.gateway("before", &[]).await?;
    await_replicas(&url, 1).await?;
    assert!(before.terminate().await?.success());
    let options = ["--nats-replicas=3", "--deadline=50s"];
    let gateway = split.gateway("gateway", &options).await?;
    let core = split.core_worker("core", &["--chat-ms=40"]).await?;
    let leader = await_replicas(&url, 3).await?;

    let session = |n: usize| format!("session-of-visitor-{n:03}");
    let mut asked = Vec::with_capacity(ASKED);
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for n in 0..ASKED {
        pace.tick().await;
        let message = ["!remind 1h tea is ready", "Hello!"][n % 2];
        asked.push(split.asks_as(&gateway, message, &session(n)));
        if n == ASKED / 3 {
            split.nats.server(&leader)?.kill()?;
        }
    }
    let mut statuses = Vec::with_capacity(ASKED);
    let mut outcomes = BTreeMap::<u16, i64>::new();
    for answer in asked {
        let (status, reply, _) = answer.await?.context("one has had no answer")?;
        // one whose receipt was lost is waited for, in vain where it had not arrived
        ensure!([200, 503, 504].contains(&status), "{status} {reply}");
        *outcomes.entry(status).or_default() += 1;
        statuses.push(status);
    }
    let next = await_leader(&url).await?;
    e2e::progress::say(format!("{leader} is dead, {next} leads; {outcomes:?}"));
    ensure!(next != leader, "{leader} was not killed");
    nothing_is_lost(&gateway, &core, outcomes[&200]).await?;
    await_condition("answers", SOON, || async {
        let (status, reply, _) = split.chat(&gateway, "Hello!").await?;
        ensure!(status == 200, "{status} {reply}");
        Ok(Some(()))
    })
    .await?;
    for (n, status) in statuses.into_iter().enumerate().step_by(2) {
        let (_, reply, _) = split.asks_as(&gateway, "!reminders", &session(n)).await??;
        let list = reply["answer"].as_str().unwrap_or_default();
        let set = list.matches("tea is ready").count();
        // one that was declined may have been handed in without a receipt
        ensure!(
            set == 1 || (set == 0 && status != 200),
            "{n}, {status}: {list}"
        );
    }
    Ok(())
}

async fn await_leader(url: &str) -> Result<String> {
    await_condition("the queue to be led", SOON, || async {
        Ok(stream(url)
            .await?
            .cluster
            .and_then(|cluster| cluster.leader))
    })
    .await
}

async fn nothing_is_lost(gateway: &Bot, core: &Bot, answered: i64) -> Result<()> {
    await_series(gateway, "bot_jobs_waiting Important", |n| n == 0).await?;
    let ok = ["Important", "\"ok\""];
    let accepted = sum(gateway, "bot_jobs_published_total", &ok).await?;
    // the queue knows that a job is done before that is counted
    let done = "bot_jobs_done_total Important \"ok\"";
    let done = await_series(core, done, |n| n >= accepted).await?;
    let again = sum(core, "bot_jobs_redelivered_total", &["Important"]).await?;
    let repeated = sum(core, "bot_jobs_repeated_total", &["Important"]).await?;
    e2e::progress::say(format!(
        "accepted {accepted}, answered {answered}, done {done}, delivered again {again}, repeated {repeated}"
    ));
    ensure!(answered >= accepted, "accepted and not answered");
    ensure!(done <= 240, "done twice");
    // those that came before
    ensure!(answered >= 70, "most were declined");
    Ok(())
}

/// A server on its own keeps one: the option asks for too much, and what is there goes on.
async fn too_few_servers(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(run).await?;
    let first = split.gateway("first", &[]).await?;
    let _core = split.core_worker("core", &[]).await?;
    assert_eq!(split.chat(&first, "Hello!").await?.0, 200);
    let second = split.gateway("second", &["--nats-replicas=3"]).await?;
    await_condition("a word about it", SOON, || async {
        let log = std::fs::read_to_string(second.log())?;
        let said = log.contains("the queue could not be brought up to its options");
        Ok(said.then_some(()))
    })
    .await?;
    let (status, reply, _) = split.chat(&second, "Hello!").await?;
    assert_eq!(status, 200, "{reply}");
    await_series(&second, "bot_jobs_waiting Important", |n| n == 0).await?;
    Ok(())
}
