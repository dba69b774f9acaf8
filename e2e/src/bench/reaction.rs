//! How long it takes from a reading that is past its threshold to the flags that say so.
//!
//! A reading is available once Prometheus answers it; from then on the operator waits for its next
//! tick, asks, decides and writes, and the API server tells whoever watches the flags, as a bot does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use brownout::flags::Flags;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::figures::{heading, line, millis, percentile};
use crate::environment::Environment;
use crate::exporter::{Exporter, Gauge};
use crate::operator::{self, Operator};
use crate::prometheus::{Options, Prometheus};

/// So many bots get into trouble side by side.
const LANES: usize = 4;
/// No multiple and no divisor of the policies' interval: else a reading would always come at the
/// same time before a tick.
const SCRAPE: Duration = Duration::from_millis(730);
const POLL: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(60);
const TIGHT: f64 = 500.0;

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: botBOT}
spec:
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job=\"reaction\",bot=\"BOT\"})'}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200'}]}
    tiers: {luxury: Disabled}
";

/// What was seen last, and when: by bot.
type Seen<T> = BTreeMap<usize, (T, Instant)>;

/// One escalation.
struct Reaction {
    /// From the reading to the flags.
    all: Duration,
    /// From the tick to the flags.
    from_tick: Duration,
}

pub(super) async fn measure(environment: &Environment, transitions: usize) -> Result<()> {
    let options = Options {
        scrape_interval: SCRAPE,
        ..Options::new("prometheus-reaction")
    };
    let prometheus = Arc::new(Prometheus::start(Arc::clone(&environment.run), &options).await?);
    let exporter = Exporter::start().await?;
    let gauges: Vec<Gauge> = (0..transitions)
        .map(|bot| exporter.gauge("bot_queue_depth", &[("bot", &bot.to_string())]))
        .collect();
    exporter.register(&prometheus, &[("job", "reaction")])?;
    let namespace = environment.cluster.namespace("reaction").await?;
    let _operator = start_operator(environment, &prometheus, &namespace).await?;
    let stop = CancellationToken::new();
    let _ends = stop.clone().drop_guard();
    let readings = follow_readings(Arc::clone(&prometheus), stop.clone());
    let flags = follow_flags(
        Api::namespaced(environment.cluster.client(), &namespace),
        stop,
    );
    let one = |(bot, gauge)| {
        let (readings, flags) = (readings.clone(), flags.clone());
        let namespace = namespace.as_str();
        async move {
            let policy = POLICY.replace("BOT", &format!("{bot}"));
            environment.cluster.apply(&policy, namespace).await?;
            escalate(bot, gauge, readings, flags).await
        }
    };
    let reactions: Vec<Reaction> = stream::iter(gauges.into_iter().enumerate())
        .map(one)
        .buffer_unordered(LANES)
        .try_collect()
        .await?;
    report(&reactions);
    environment.cluster.leave(&namespace).await;
    Ok(())
}

async fn start_operator(
    environment: &Environment,
    prometheus: &Prometheus,
    namespace: &str,
) -> Result<Operator> {
    let options = operator::Options {
        name: "operator-reaction".to_owned(),
        kubeconfig: environment.cluster.kubeconfig().to_path_buf(),
        prometheus_url: prometheus.url(),
        namespaces: vec![namespace.to_owned()],
        flags: Vec::new(),
    };
    Operator::start(Arc::clone(&environment.run), &options).await
}

/// At a time that has nothing to do with scrapes and ticks. Once is all that a policy is used for:
/// what goes up and down again and again is damped.
async fn escalate(
    bot: usize,
    gauge: Gauge,
    mut readings: watch::Receiver<Seen<f64>>,
    mut flags: watch::Receiver<Seen<Flags>>,
) -> Result<Reaction> {
    until(&mut flags, bot, "Normal", |flags| flags.level == 0).await?;
    let pause = bot * 389 % 1000;
    tokio::time::sleep(Duration::from_millis(u64::try_from(pause)?)).await;
    gauge.set(TIGHT);
    let (_, available) = until(&mut readings, bot, "a reading", |value| *value > 200.0).await?;
    let (seen, at) = until(&mut flags, bot, "the flags", |flags| flags.level == 1).await?;
    let since = seen.since.context("flags say since when")?;
    let tick = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(since.as_millis())?);
    let seen_at = SystemTime::now() - at.elapsed();
    Ok(Reaction {
        // a reading may be decided on before we get to see it ourselves
        all: at.saturating_duration_since(available),
        from_tick: seen_at.duration_since(tick).unwrap_or_default(),
    })
}

/// The first of a bot that is as wanted, and when it was seen.
async fn until<T: Clone>(
    seen: &mut watch::Receiver<Seen<T>>,
    bot: usize,
    what: &str,
    wanted: impl Fn(&T) -> bool,
) -> Result<(T, Instant)> {
    let there = |seen: &Seen<T>| seen.get(&bot).is_some_and(|(value, _)| wanted(value));
    let seen = timeout(LONG, seen.wait_for(there))
        .await
        .with_context(|| format!("waited {LONG:?} for {what} of bot {bot}"))??;
    seen.get(&bot).cloned().context("it is there")
}

/// What Prometheus answers, asked every few milliseconds; the time is that of the first such answer.
fn follow_readings(
    prometheus: Arc<Prometheus>,
    stop: CancellationToken,
) -> watch::Receiver<Seen<f64>> {
    let (sender, receiver) = watch::channel(Seen::new());
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut turns = tokio::time::interval(POLL);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let asked = prometheus.query("bot_queue_depth{job=\"reaction\"}").await;
            let now = Instant::now();
            for sample in asked.unwrap_or_default() {
                let bot = sample.labels.get("bot").and_then(|bot| bot.parse().ok());
                let Some(bot) = bot else { continue };
                enter(&sender, bot, sample.value, now, |a, b| {
                    (a - b).abs() < f64::EPSILON
                });
            }
        }
    }));
    receiver
}

/// What a bot would be told.
fn follow_flags(api: Api<ConfigMap>, stop: CancellationToken) -> watch::Receiver<Seen<Flags>> {
    let (sender, receiver) = watch::channel(Seen::new());
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let changes = watcher(api, watcher::Config::default());
        let mut changes = changes.default_backoff().applied_objects().boxed();
        while let Some(change) = changes.next().await {
            let now = Instant::now();
            let Ok(map) = change else { continue };
            let name = map.name_any();
            let bot = name
                .strip_prefix("bot")
                .and_then(|n| n.strip_suffix("-flags"));
            let bot = bot.and_then(|bot| bot.parse().ok());
            let flags = Flags::decode(&map.data.unwrap_or_default());
            if let (Some(bot), Ok(flags)) = (bot, flags) {
                enter(&sender, bot, flags, now, |a, b| a.epoch == b.epoch);
            }
        }
    }));
    receiver
}

fn enter<T>(
    sender: &watch::Sender<Seen<T>>,
    bot: usize,
    value: T,
    at: Instant,
    same: impl Fn(&T, &T) -> bool,
) {
    sender.send_if_modified(|seen| {
        let new = seen.get(&bot).is_none_or(|(old, _)| !same(old, &value));
        if new {
            seen.insert(bot, (value, at));
        }
        new
    });
}

fn report(reactions: &[Reaction]) {
    heading(&format!(
        "From a breached reading to the flags ({} escalations, interval 1 s, {LANES} policies at once)",
        reactions.len()
    ));
    let lines = |what: &str, part: fn(&Reaction) -> Duration| {
        let mut sorted: Vec<Duration> = reactions.iter().map(part).collect();
        sorted.sort_unstable();
        let (middle, most) = (percentile(&sorted, 50), percentile(&sorted, 99));
        line(
            what,
            format!("p50 {}, p99 {}", millis(middle), millis(most)),
        );
    };
    lines("available to seen, the wait for the tick included", |r| {
        r.all
    });
    lines("tick to seen", |r| r.from_tick);
}
