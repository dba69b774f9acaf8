//! Following operator, bot and cluster from outside, as a person would.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::record::Record;

/// How exactly the arrival of flags is known.
const BOT_EVERY: Duration = Duration::from_millis(25);
const LIVE_EVERY: Duration = Duration::from_millis(250);
const REPLICAS_EVERY: Duration = Duration::from_secs(1);
/// Who has not answered for so long is gone.
const GONE: Duration = Duration::from_secs(15);

/// What the operator says live of the policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Live {
    pub(super) level: usize,
    pub(super) level_name: String,
    pub(super) sentence: Option<String>,
    pub(super) signals: Vec<SignalReading>,
    pub(super) comparisons: Vec<Comparison>,
}

/// One signal, live.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SignalReading {
    pub(super) name: String,
    pub(super) value: Option<f64>,
    pub(super) unknown: Option<String>,
}

/// One threshold, live.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Comparison {
    pub(super) level: usize,
    pub(super) signal: String,
    pub(super) threshold: String,
}

/// Replicas by Deployment.
pub(super) type Replicas = BTreeMap<String, Option<i32>>;

/// Where to look.
pub(super) struct Probes {
    pub(super) client: Client,
    pub(super) bot: String,
    /// The same of each operator: only who leads tells it.
    pub(super) live: Vec<String>,
    pub(super) deployments: Api<Deployment>,
}

/// Follows until it is dropped; an error says that the bot or the operator is gone.
pub(super) async fn watch(probes: Probes, record: &Record) -> Result<()> {
    let bot = follow(BOT_EVERY, "the bot", async || {
        record.obeys(get(&probes.client, &probes.bot).await?);
        Ok(())
    });
    let live = follow(LIVE_EVERY, "the operator", async || {
        let live: Live = of_leader(&probes.client, &probes.live).await?;
        record.update(|latest| latest.live = Some(live));
        Ok(())
    });
    let workers = follow(REPLICAS_EVERY, "the API server", async || {
        let replicas = replicas(&probes.deployments).await?;
        record.update(|latest| latest.replicas = replicas);
        Ok(())
    });
    tokio::try_join!(bot, live, workers).map(|_| ())
}

async fn follow(every: Duration, who: &str, look: impl AsyncFn() -> Result<()>) -> Result<()> {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answered = Instant::now();
    loop {
        ticks.tick().await;
        match look().await {
            Ok(()) => answered = Instant::now(),
            Err(error) if answered.elapsed() > GONE => {
                bail!("{who} gives no answer any more: {error:#}");
            }
            Err(_) => {} // asked again at the next tick
        }
    }
}

/// The first good answer: a standby has none. The last error, if nobody gives one.
async fn of_leader(client: &Client, urls: &[String]) -> Result<Live> {
    let mut refused = anyhow!("there is no operator to ask");
    for url in urls {
        match get(client, url).await {
            Ok(live) => return Ok(live),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

async fn get<T: DeserializeOwned>(client: &Client, url: &str) -> Result<T> {
    let answer = client.get(url).send().await?.error_for_status()?;
    answer
        .json()
        .await
        .with_context(|| format!("{url} answered something else than expected"))
}

/// How many workers of each Deployment the cluster is asked for.
pub(super) async fn replicas(deployments: &Api<Deployment>) -> Result<Replicas> {
    let list = deployments.list(&ListParams::default()).await?;
    let count = |one: &Deployment| one.spec.as_ref().and_then(|spec| spec.replicas);
    let counts = list.items.iter().map(|one| (one.name_any(), count(one)));
    Ok(counts.collect())
}
