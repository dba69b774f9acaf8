//! Objects that change all the time: the operator's write comes too late, and it looks again. Nothing but that
//! takes its right to `get` policies and workloads.

use std::time::Duration;

use anyhow::{Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::audit::{AuditLog, Mark};
use e2e::harness::{Ctx, needs_own_cluster, trial};
use futures::future::{Either, select};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Api;
use kube::api::{Patch, PatchParams};
use libtest_mimic::Trial;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::{PolicyYaml, Scene, await_replicas, await_set_replicas, workload};

pub(crate) fn tests() -> Vec<Trial> {
    vec![needs_own_cluster(trial(
        "rights_to_look_again_are_used_where_objects_are_busy",
        busy,
    ))]
}

/// Between two changes of one object: about what the operator takes from seeing to writing.
const EVERY: Duration = Duration::from_millis(10);
/// Incidents, of which each has a chance of a conflict at each of its writes.
const INCIDENTS: usize = 15;

const SCALE: &str =
    "scale: [{name: worker, replicas: 1}, {kind: StatefulSet, name: store, replicas: 4}]";

async fn busy(ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx).await?;
    let ctx = &scene.ctx;
    ctx.apply(&workload("Deployment", "worker", 2)).await?;
    ctx.apply(&workload("StatefulSet", "store", 2)).await?;
    let policy = PolicyYaml::new(ctx, "bot").rung("shed", "200", SCALE);
    ctx.apply(&policy.to_string()).await?;

    let (policies, workers, sets) = (
        ctx.api::<BotDegradationPolicy>(),
        ctx.api::<Deployment>(),
        ctx.api::<StatefulSet>(),
    );
    let disturb = async {
        tokio::try_join!(
            touch(&policies, "bot"),
            touch(&workers, "worker"),
            touch(&sets, "store")
        )
    };
    let incidents = incidents(&scene);
    match select(Box::pin(disturb), Box::pin(incidents)).await {
        Either::Left((ended, _)) => ended.map(drop),
        Either::Right((done, _)) => done,
    }
}

/// Incident after incident, until the operator has looked again at each.
async fn incidents(scene: &Scene) -> Result<()> {
    let ctx = &scene.ctx;
    let audit = ctx.cluster().audit()?;
    let mark = audit.mark()?;
    let mut missing = Vec::new();
    for _ in 0..INCIDENTS {
        scene.depth.set(500.0);
        await_replicas(ctx, "worker", 1).await?;
        await_set_replicas(ctx, "store", 4).await?;
        scene.depth.set(0.0);
        await_replicas(ctx, "worker", 2).await?;
        await_set_replicas(ctx, "store", 2).await?;
        missing = not_looked_at(audit, mark, &ctx.operator_user())?;
        if missing.is_empty() {
            return Ok(());
        }
    }
    ensure!(missing.is_empty(), "never read again: {missing:?}");
    Ok(())
}

fn not_looked_at(audit: &AuditLog, mark: Mark, user: &str) -> Result<Vec<&'static str>> {
    let asked = audit.since(mark)?;
    let mut missing = vec!["botdegradationpolicies", "deployments", "statefulsets"];
    missing.retain(|resource| {
        !asked.iter().any(|event| {
            let object = event.object_ref.as_ref();
            event.verb == "get"
                && event.user.username == user
                && object.is_some_and(|object| object.resource == *resource)
        })
    });
    Ok(missing)
}

/// Changes an object for ever, in a way that is nobody's business.
async fn touch<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut turns = tokio::time::interval(EVERY);
    for number in 0_u64.. {
        turns.tick().await;
        let note = json!({"metadata": {"annotations": {"example.com/turn": number.to_string()}}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(note))
            .await?;
    }
    Ok(())
}
