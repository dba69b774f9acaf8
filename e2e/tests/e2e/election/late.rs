//! One write of a leader that arrives when the next one acts already: held on the way, let go then.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::fault_proxy::{Fault, FaultProxy, Rule};
use e2e::harness::Ctx;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt as _;
use serde_json::json;

use super::support::{Member, Pair, acquired_at, epoch};
use crate::autoscalers_keda::{HPA, PAUSED, StandIn, scaled_objects};
use crate::autoscalers_support::await_bounds;
use crate::faults_support::{await_ticks, never_fell_before, now, patch, seen};
use crate::support::{
    GAUGE, PolicyYaml, SOON, await_level, await_ready, await_replicas, replicas, workload,
};

/// How soon what a late write changed is put right again.
const PUT_RIGHT: Duration = Duration::from_secs(5);

/// A bot at level 1 under two operators, the first of which leads, behind a proxy.
struct Scene {
    ctx: Ctx,
    depth: e2e::exporter::Gauge,
    pair: Pair,
    proxy: FaultProxy,
    _bot: e2e::exporter::Exporter,
}

impl Scene {
    /// With a second rung that scales a Deployment of three replicas to so many.
    async fn set(ctx: Ctx, to: i32) -> Result<Self> {
        let bot = ctx.exporter().await?;
        let depth = bot.gauge(GAUGE, &[]);
        let proxy = FaultProxy::start(ctx.cluster(), &Member::user_of(&ctx, "first")).await?;
        let pair = Pair::start_through(&ctx, Some(proxy.kubeconfig())).await?;
        ctx.apply(&workload("Deployment", "worker", 3)).await?;
        let stop = format!("scale: [{{name: worker, replicas: {to}}}]");
        let policy = PolicyYaml::new(&ctx, "bot")
            .rung("shed-luxury", "200", "tiers: {luxury: Disabled}")
            .rung("stop-workers", "400", &stop);
        ctx.apply(&policy.to_string()).await?;
        await_ready(&ctx, "bot").await?;
        depth.set(300.0);
        await_level(&ctx, "bot", 1).await?;
        Ok(Self {
            ctx,
            depth,
            pair,
            proxy,
            _bot: bot,
        })
    }

    /// The metrics get worse; the first write of this kind is held, and its sender loses the Lease.
    async fn depose_amid(&self, write: &str, object: &str) -> Result<()> {
        let script = self.proxy.script();
        script.set(vec![Rule::on(write, Fault::Held).of(object).first(1)]);
        self.depth.set(500.0);
        script.await_hits(1, SOON).await?;
        let unavailable = Fault::Answer {
            status: 503,
            retry_after: None,
        };
        // With the Lease out of its reach it has to go; nothing else of it comes through either.
        script.set(vec![
            Rule::on("get leases", unavailable),
            Rule::on("put leases", unavailable),
        ]);
        let status = self.pair.first.operator.ended().await?;
        ensure!(!status.success(), "it ended with {status}");
        self.pair.first.said_it_lost()
    }

    /// The held write arrives. Gives its HTTP status, on which proxy and audit log agree.
    async fn arrives(&self) -> Result<u16> {
        let takeover = acquired_at(&self.ctx, &self.pair.second).await?;
        self.proxy.script().let_go();
        let arrived = self.proxy.script().await_arrived(1, SOON).await?;
        let (asked, status) = arrived.first().context("nothing arrived")?;
        e2e::progress::say(format!("election, late: {asked} ({status})"));
        let logged = await_condition("the late write in the audit log", SOON, || async {
            let late = self.pair.first.writes_since(&self.ctx, takeover)?;
            Ok((!late.is_empty()).then_some(late))
        })
        .await?;
        let told: Vec<String> = logged.iter().map(ToString::to_string).collect();
        let codes = logged.iter().filter_map(|event| {
            let status = event.response_status.as_ref()?;
            Some(status.code)
        });
        let codes: Vec<u16> = codes.collect();
        ensure!(codes == [*status], "the log has {told:?}");
        Ok(*status)
    }

    /// Nothing that a user sees has changed by it, and the second one is at work.
    async fn changes_nothing(&self) -> Result<()> {
        let ctx = &self.ctx;
        // The last write of the second one's own may come after what was waited for.
        await_ticks(&self.pair.second.operator, "bot", 2).await?;
        let before = seen(ctx, "bot").await?;
        ensure!(self.arrives().await? == 409, "it was not refused");
        await_ticks(&self.pair.second.operator, "bot", 2).await?;
        let after = seen(ctx, "bot").await?;
        ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");
        let status = await_level(ctx, "bot", 2).await?;
        never_fell_before(&status, now())?;
        ensure!(status.history.len() == 2, "{:?}", status.history);
        Ok(())
    }

    /// A person pins Normal while nobody leads: the next leader hands back what it finds as it was.
    async fn hand_back(&self) -> Result<()> {
        let until = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(30);
        let pin = json!({"metadata": {"annotations": {
            "brownout.dev/pin": "Normal",
            "brownout.dev/pin-until": until.to_string(),
            "brownout.dev/pin-reason": "a late write",
        }}});
        patch(&self.ctx, "bot", pin).await?;
        self.pair.second.await_leads().await?;
        let status = await_level(&self.ctx, "bot", 0).await?;
        ensure!(status.baseline.is_empty(), "{:?}", status.baseline);
        ensure!(replicas(&self.ctx, "worker").await? == 3);
        await_ticks(&self.pair.second.operator, "bot", 2).await?;
        Ok(())
    }

    /// Once what landed is put right, it is forgotten, and nothing more is written.
    async fn settles(&self) -> Result<()> {
        crate::support::await_status(&self.ctx, "bot", "no baseline", |status| {
            status.baseline.is_empty() && status.level == 0
        })
        .await?;
        await_ticks(&self.pair.second.operator, "bot", 2).await?;
        let mark = self.ctx.cluster().audit()?.mark()?;
        await_ticks(&self.pair.second.operator, "bot", 3).await?;
        let user = &self.pair.second.user;
        let mut writes = self.ctx.cluster().audit()?.writes_by(user, mark)?;
        writes.retain(|event| !super::support::lease_writes(event));
        ensure!(writes.is_empty(), "it goes on writing: {writes:?}");
        Ok(())
    }
}

pub(super) async fn flags_refused(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx, 1).await?;
    let before = epoch(&scene.ctx, "bot-flags").await?;
    scene.depose_amid("put configmaps", "bot-flags").await?;
    ensure!(epoch(&scene.ctx, "bot-flags").await? == before);
    scene.pair.second.await_leads().await?;
    await_level(&scene.ctx, "bot", 2).await?;
    await_replicas(&scene.ctx, "worker", 1).await?;
    ensure!(epoch(&scene.ctx, "bot-flags").await? > before);
    scene.changes_nothing().await
}

pub(super) async fn scale_refused(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx, 1).await?;
    scene
        .depose_amid("patch deployments/scale", "worker")
        .await?;
    ensure!(replicas(&scene.ctx, "worker").await? == 3);
    scene.pair.second.await_leads().await?;
    await_replicas(&scene.ctx, "worker", 1).await?;
    await_level(&scene.ctx, "bot", 2).await?;
    scene.changes_nothing().await?;
    ensure!(replicas(&scene.ctx, "worker").await? == 1);
    Ok(())
}

/// Nobody has written the Deployment since the late write was decided on: no fence stops it.
pub(super) async fn scale_lands(ctx: Ctx) -> Result<()> {
    lands(ctx, 1).await
}

/// The API server keeps no field manager's name of a scale to 0.
pub(super) async fn scale_to_zero_lands(ctx: Ctx) -> Result<()> {
    lands(ctx, 0).await
}

async fn lands(ctx: Ctx, to: i32) -> Result<()> {
    let scene = Scene::set(ctx, to).await?;
    scene
        .depose_amid("patch deployments/scale", "worker")
        .await?;
    scene.hand_back().await?;
    let version = version(&scene.ctx).await?;
    ensure!(scene.arrives().await? == 200, "it was refused");
    put_right(&scene.ctx, version.as_ref()).await?;
    scene.settles().await
}

async fn version(ctx: &Ctx) -> Result<Option<String>> {
    Ok(ctx
        .api::<Deployment>()
        .get("worker")
        .await?
        .resource_version())
}

async fn put_right(ctx: &Ctx, before: Option<&String>) -> Result<()> {
    await_condition("the Deployment to be put right", PUT_RIGHT, || async {
        let landed = version(ctx).await?.as_ref() != before;
        Ok((landed && replicas(ctx, "worker").await? == 3).then_some(()))
    })
    .await
}

/// The bounds of an autoscaler likewise.
pub(super) async fn bounds_land(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx, 1).await?;
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "worker"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "worker"},
            "minReplicas": 2,
            "maxReplicas": 6,
        },
    });
    scene.ctx.apply(&autoscaler.to_string()).await?;
    let api = scene.ctx.api::<HorizontalPodAutoscaler>();
    // Its status, which its controller writes, moves its version too.
    await_condition("the autoscaler's status", SOON, || async {
        let status = api.get("worker").await?.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        Ok(conditions
            .iter()
            .any(|c| c.type_ == "ScalingActive")
            .then_some(()))
    })
    .await?;
    let bounds = async || {
        let spec = api.get("worker").await?.spec.context("no spec")?;
        anyhow::Ok((spec.min_replicas, spec.max_replicas))
    };
    scene
        .depose_amid("patch horizontalpodautoscalers", "worker")
        .await?;
    scene.hand_back().await?;
    let before = api.get("worker").await?.resource_version();
    ensure!(scene.arrives().await? == 200, "it was refused");
    await_condition("the autoscaler to be put right", PUT_RIGHT, || async {
        let landed = api.get("worker").await?.resource_version() != before;
        Ok((landed && bounds().await? == (Some(2), 6)).then_some(()))
    })
    .await?;
    scene.settles().await?;
    ensure!(replicas(&scene.ctx, "worker").await? == 3);
    Ok(())
}

/// The annotation that pauses KEDA likewise, though nobody watches its objects.
pub(super) async fn pause_lands(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx, 1).await?;
    let ctx = &scene.ctx;
    let _keda = StandIn::install(ctx).await?;
    scene.depose_amid("patch scaledobjects", "worker").await?;
    scene.hand_back().await?;
    let objects = scaled_objects(ctx);
    let before = objects.get("worker").await?.resource_version();
    ensure!(scene.arrives().await? == 200, "it was refused");
    await_condition("KEDA to be let go", PUT_RIGHT, || async {
        let object = objects.get("worker").await?;
        let landed = object.resource_version() != before;
        Ok((landed && !object.annotations().contains_key(PAUSED)).then_some(()))
    })
    .await?;
    // KEDA's autoscaler is back, and the number is its own choice
    await_bounds(ctx, HPA, (2, 8)).await?;
    scene.settles().await
}
