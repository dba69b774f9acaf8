//! What is right, and within what time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use brownout::api::{BotDegradationPolicy, conditions};
use brownout::flags::{Flags, POLICY_LABEL};
use e2e::harness::Ctx;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use crate::scene::{CREW, CREW_BOUNDS, SHARDS, SMALL_CREW, Scene, WORKERS};

/// After the faults have ended.
pub(crate) const RIGHT_WITHIN: Duration = Duration::from_secs(30);
/// Where nothing went wrong; longer, for a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How long another policy may take to react while something is wrong.
pub(crate) const NEIGHBOUR: Duration = Duration::from_secs(20);
/// How long nothing is written once all is right.
const QUIET: Duration = Duration::from_secs(3);
/// What may still be written when all is right already: Events.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);

/// What the workloads are asked for while all is well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baselines {
    pub(crate) workers: i32,
    pub(crate) shards: i32,
    /// The bounds of the crew's autoscaler, where there is one.
    pub(crate) bounds: (i32, i32),
}

impl Default for Baselines {
    fn default() -> Self {
        Self {
            workers: WORKERS,
            shards: SHARDS,
            bounds: CREW_BOUNDS,
        }
    }
}

/// Waits until flags, workloads and status are those of a level.
pub(crate) async fn await_right(
    scene: &Scene,
    level: usize,
    baselines: Baselines,
    within: Duration,
) -> Result<()> {
    let what = format!("everything to be right at level {level}");
    let epoch = await_condition(&what, within, || async {
        right(scene, level, baselines).await.map(Some)
    })
    .await?;
    scene.observer.floor(level, epoch);
    Ok(())
}

/// Gives the epoch of the flags.
async fn right(scene: &Scene, level: usize, baselines: Baselines) -> Result<i64> {
    let ctx = &scene.ctx;
    let map = ctx.api::<ConfigMap>().get("bot-flags").await?;
    let flags = plain_and_json_agree(&map)?;
    ensure!(
        flags.level == level,
        "the flags are of level {}",
        flags.level
    );
    let (workers, shards) = replicas(ctx).await?;
    let Baselines {
        workers: all,
        shards: whole,
        bounds,
    } = baselines;
    let wanted = (
        if level >= 1 { 1 } else { all },
        if level >= 2 { 0 } else { whole },
    );
    ensure!(
        (workers, shards) == wanted,
        "replicas are {workers} and {shards}, not {wanted:?}"
    );
    if scene.autoscaled {
        let small = (SMALL_CREW, (bounds.0, SMALL_CREW));
        crew_is(ctx, if level >= 1 { small } else { (CREW, bounds) }).await?;
    }
    let policy = ctx.api::<BotDegradationPolicy>().get("bot").await?;
    let generation = policy.metadata.generation;
    let status = policy.status.context("no status")?;
    ensure!(
        usize::try_from(status.level)? == level,
        "status has level {}",
        status.level
    );
    ensure!(
        status.observed_generation == generation,
        "status is of an older spec"
    );
    let ready = conditions::condition(&status.conditions, conditions::READY).context("no Ready")?;
    ensure!(
        ready.status == "True",
        "Ready is {}: {}",
        ready.status,
        ready.message
    );
    let published = status.flags.context("status tells of no flags")?;
    ensure!(
        published.epoch == flags.epoch,
        "status has epoch {}",
        published.epoch
    );
    let mut held: Vec<(String, i32)> = status
        .baseline
        .into_iter()
        .map(|baseline| (baseline.name, baseline.replicas))
        .collect();
    held.sort();
    let mut of_level = vec![("shards".to_owned(), whole), ("worker".to_owned(), all)];
    if scene.autoscaled {
        of_level.insert(0, ("crew".to_owned(), CREW));
    }
    of_level.retain(|(name, _)| level >= if name == "shards" { 2 } else { 1 });
    ensure!(held == of_level, "baselines are {held:?}, not {of_level:?}");
    Ok(flags.epoch)
}

fn plain_and_json_agree(map: &ConfigMap) -> Result<Flags> {
    let data = map.data.as_ref().context("no data")?;
    let flags = Flags::decode(data)?;
    for (name, flag) in &flags.features {
        let plain = data.get(name).map_or("", String::as_str);
        ensure!(plain == flag.value.to_string(), "{name} is {plain:?}");
    }
    Ok(flags)
}

/// Number and bounds of what has an autoscaler.
async fn crew_is(ctx: &Ctx, wanted: (i32, (i32, i32))) -> Result<()> {
    let crew = ctx.api::<Deployment>().get("crew").await?;
    let crew = crew.spec.and_then(|spec| spec.replicas).context("none")?;
    let hpa = ctx.api::<HorizontalPodAutoscaler>().get("crew").await?;
    let hpa = hpa.spec.context("no spec")?;
    let now = (crew, (hpa.min_replicas.unwrap_or(1), hpa.max_replicas));
    ensure!(now == wanted, "the crew is {now:?}, not {wanted:?}");
    Ok(())
}

async fn replicas(ctx: &Ctx) -> Result<(i32, i32)> {
    let worker = ctx.api::<Deployment>().get("worker").await?;
    let shards = ctx.api::<StatefulSet>().get("shards").await?;
    Ok((
        worker.spec.and_then(|spec| spec.replicas).context("none")?,
        shards.spec.and_then(|spec| spec.replicas).context("none")?,
    ))
}

/// Waits until the policy is gone and has handed everything back.
pub(crate) async fn await_handed_back(scene: &Scene, within: Duration) -> Result<()> {
    let ctx = &scene.ctx;
    await_condition("the policy to be gone", within, || async {
        let left = ctx.api::<BotDegradationPolicy>().get_opt("bot").await?;
        Ok(left.is_none().then_some(()))
    })
    .await?;
    let now = replicas(ctx).await?;
    ensure!(
        now == (WORKERS, SHARDS),
        "it is gone and left replicas {now:?}"
    );
    if scene.autoscaled {
        crew_is(ctx, (CREW, CREW_BOUNDS)).await?;
    }
    let map = ctx.api::<ConfigMap>().get("bot-flags").await?;
    let flags = plain_and_json_agree(&map)?;
    ensure!(
        flags.level == 0,
        "it is gone and left flags of level {}",
        flags.level
    );
    ensure!(
        !map.labels().contains_key(POLICY_LABEL),
        "the flags still bear its label"
    );
    Ok(())
}

/// Waits until the other policy has published a level.
pub(crate) async fn await_neighbour(scene: &Scene, level: usize, within: Duration) -> Result<()> {
    let what = format!("the neighbour's flags at level {level}");
    await_condition(&what, within, || async {
        let map = scene.ctx.api::<ConfigMap>().get("neighbour-flags").await?;
        let flags = plain_and_json_agree(&map)?;
        Ok((flags.level == level).then_some(()))
    })
    .await
}

/// Waits for a period in which the operator writes nothing.
pub(crate) async fn await_quiet(scene: &Scene) -> Result<()> {
    let (audit, user) = (scene.ctx.cluster().audit()?, scene.ctx.operator_user());
    let start = Instant::now();
    let mut written = Vec::new();
    while start.elapsed() < SETTLED_WITHIN {
        let mark = audit.mark()?;
        tokio::time::sleep(QUIET).await;
        written = audit.writes_by(&user, mark)?;
        if written.is_empty() {
            return Ok(());
        }
    }
    let written: Vec<String> = written.iter().map(ToString::to_string).collect();
    bail!("it goes on writing: {}", written.join("; "))
}
