//! Does what is shipped hold in real pods: the operator of the base, the bot of the examples?

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use brownout::policy::State;
use e2e::bot::Status;
use e2e::environment::Environment;
use e2e::harness::{Ctx, trial, trial_within};
use e2e::http;
use e2e::pods::{ReadyPod, install_operator};
use e2e::shipped;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::support::{DEADLINE, await_available};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial_within(
            2 * DEADLINE,
            "shipped_operator_moves_the_pods_of_the_shipped_bot",
            moves_pods,
        ),
        trial_within(
            3 * DEADLINE,
            "shipped_bot_obeys_by_its_mount_alone",
            by_mount,
        ),
        trial("shipped_bot_obeys_by_its_watch_alone", by_watch),
        trial_within(
            2 * DEADLINE,
            "shipped_operator_is_replaced_and_goes_on",
            is_replaced,
        ),
    ]
}

const CORE: &str = "app.kubernetes.io/name=chatbotler,app.kubernetes.io/component=core";
const LUXURY: &str = "app.kubernetes.io/name=chatbotler,app.kubernetes.io/component=luxury";
const BOT_PORT: u16 = 8080;
const ADMIN_PORT: u16 = 8081;

/// One gauge drives the ladder, so a test says itself how bad things are.
const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: chatbotler}
spec:
  interval: 1s
  signals: [{name: pressure, query: 'max(pressure{job=\"JOB\"})'}]
  features:
  - {name: animations, tier: Luxury}
  - {name: ai-chat, tier: Important, values: {enabled: 512, reduced: 96, disabled: 0}}
  - {name: commands, tier: Critical}
  levels:
  - name: lighten
    when: {any: [{signal: pressure, above: '1'}]}
    tiers: {luxury: Disabled, important: Reduced}
SCALE
  recovery: {after: 1s}
";
const WORKERS: &str = "    scale:
    - {name: chatbotler-luxury-worker, replicas: 0}
    - {name: chatbotler-core-worker, replicas: '150%'}";

async fn moves_pods(ctx: Ctx) -> Result<()> {
    operator(&ctx).await?;
    let pressure = ctx.exporter().await?;
    let gauge = pressure.gauge("pressure", &[]);
    start_bot(&ctx, |_| {}).await?;
    let cluster = ctx.cluster();
    let core = cluster
        .await_pods(ctx.namespace(), CORE, 2, DEADLINE)
        .await?;
    cluster
        .await_pods(ctx.namespace(), LUXURY, 1, DEADLINE)
        .await?;
    ctx.apply(&policy(&ctx, WORKERS)).await?;
    for pod in &core {
        await_level(pod, 0).await?;
    }

    gauge.set(5.0);
    for pod in &core {
        let status = await_level(pod, 1).await?;
        assert_eq!(status.state("animations"), State::Disabled);
        assert_eq!(status.state("ai-chat"), State::Reduced);
    }
    let more = cluster
        .await_pods(ctx.namespace(), CORE, 3, DEADLINE)
        .await?;
    cluster
        .await_pods(ctx.namespace(), LUXURY, 0, DEADLINE)
        .await?;
    for pod in &more {
        await_level(pod, 1).await?; // one that is born degraded obeys as well
    }

    gauge.set(0.0);
    cluster
        .await_pods(ctx.namespace(), CORE, 2, DEADLINE)
        .await?;
    let luxury = cluster
        .await_pods(ctx.namespace(), LUXURY, 1, DEADLINE)
        .await?;
    for pod in &luxury {
        await_level(pod, 0).await?;
    }
    Ok(())
}

/// Without the API server: no token, no name to watch.
async fn by_mount(ctx: Ctx) -> Result<()> {
    operator(&ctx).await?;
    let exporter = ctx.exporter().await?;
    let gauge = exporter.gauge("pressure", &[]);
    start_bot(&ctx, |spec| {
        spec["automountServiceAccountToken"] = json!(false);
        drop_named(
            &mut spec["containers"][0]["env"],
            "CHATBOTLER_FLAGS_CONFIGMAP",
        );
    })
    .await?;
    let pods = ctx
        .cluster()
        .await_pods(ctx.namespace(), CORE, 2, DEADLINE)
        .await?;
    ctx.apply(&policy(&ctx, "")).await?;
    for (pressure, level) in [(0.0, 0), (5.0, 1), (0.0, 0)] {
        gauge.set(pressure);
        for pod in &pods {
            await_level(pod, level).await?;
        }
    }
    Ok(())
}

/// With nothing mounted, by an account that may read this one name only.
async fn by_watch(ctx: Ctx) -> Result<()> {
    operator(&ctx).await?;
    let exporter = ctx.exporter().await?;
    let gauge = exporter.gauge("pressure", &[]);
    start_bot(&ctx, |spec| {
        let container = &mut spec["containers"][0];
        drop_named(&mut container["env"], "CHATBOTLER_FLAGS_DIR");
        drop_named(&mut container["volumeMounts"], "flags");
        drop_named(&mut spec["volumes"], "flags");
    })
    .await?;
    let pods = ctx
        .cluster()
        .await_pods(ctx.namespace(), CORE, 2, DEADLINE)
        .await?;
    ctx.apply(&policy(&ctx, "")).await?;
    for (pressure, level) in [(0.0, 0), (5.0, 1), (0.0, 0)] {
        gauge.set(pressure);
        for pod in &pods {
            await_level(pod, level).await?;
        }
    }
    let bot = ctx
        .cluster()
        .service_account(ctx.namespace(), "chatbotler")
        .await?;
    let maps: Api<ConfigMap> = Api::namespaced(bot.client, ctx.namespace());
    maps.get("chatbotler-flags")
        .await
        .context("its own flags")?;
    let other = maps.get("kube-root-ca.crt").await;
    ensure!(
        matches!(&other, Err(kube::Error::Api(status)) if status.code == 403),
        "the bot's account reads other ConfigMaps as well: {other:?}"
    );
    Ok(())
}

/// Who stood by finds the level where the old leader left it, and brings it to its end.
async fn is_replaced(ctx: Ctx) -> Result<()> {
    operator(&ctx).await?;
    let exporter = ctx.exporter().await?;
    let gauge = exporter.gauge("pressure", &[]);
    start_bot(&ctx, |_| {}).await?;
    let pods = ctx
        .cluster()
        .await_pods(ctx.namespace(), CORE, 2, DEADLINE)
        .await?;
    gauge.set(5.0);
    ctx.apply(&policy(&ctx, "")).await?;
    let degraded = await_level(&pods[0], 1).await?;

    let before = ctx.cluster().await_leader(DEADLINE).await?;
    let operators: Api<Pod> = Api::namespaced(ctx.client(), shipped::OPERATOR.0);
    operators
        .delete(&before.name, &DeleteParams::default())
        .await?;
    let after = ctx.cluster().await_leader(DEADLINE).await?;
    assert_ne!(after.name, before.name, "a pod on its way out leads");
    let live = format!(
        "http://{}/v1/policies/{}/chatbotler",
        after.at(ADMIN_PORT),
        ctx.namespace()
    );
    await_condition("the new leader to know the policy", DEADLINE, || async {
        let live: serde_json::Value = serde_json::from_str(&http::get_text(&live).await?)?;
        ensure!(live["level"] == 1, "its level is {}", live["level"]);
        Ok(Some(()))
    })
    .await?;
    let held = status(&pods[0]).await?;
    assert_eq!((held.level, held.epoch), (1, degraded.epoch));
    gauge.set(0.0);
    await_level(&pods[0], 0).await?;
    let now = ctx.cluster().await_operators(DEADLINE).await?;
    ensure!(now.iter().all(|pod| pod.name != before.name), "{now:?}");
    Ok(())
}

/// One installation for the whole cluster, of as many as the base asks for; the bot's image is there as well.
pub(crate) async fn operator(ctx: &Ctx) -> Result<()> {
    static OPERATOR: OnceCell<()> = OnceCell::const_new();
    let environment: &Environment = ctx.environment();
    let install = || async {
        ctx.node()?.import(&shipped::image("chatbotler")?).await?;
        install_operator(environment).await.map(drop)
    };
    OPERATOR.get_or_try_init(install).await?;
    ctx.cluster().await_operators(DEADLINE).await.map(drop)
}

/// The example, in a namespace that is held to the strictest standard for pods; what a test wants
/// otherwise is changed in the pods' spec.
async fn start_bot(ctx: &Ctx, change: impl Fn(&mut serde_json::Value)) -> Result<()> {
    restrict(ctx).await?;
    let mut objects = shipped::manifest(shipped::BOT)?;
    let specs = objects
        .iter_mut()
        .filter_map(|object| object.pointer_mut("/spec/template/spec"));
    for spec in specs {
        // all tests share one small node
        spec["containers"][0]["resources"]["requests"]["cpu"] = json!("10m");
        change(spec);
    }
    ctx.cluster()
        .apply_objects(&objects, ctx.namespace())
        .await?;
    await_available(ctx, "chatbotler-core-worker", 2).await
}

pub(crate) async fn restrict(ctx: &Ctx) -> Result<()> {
    let labels =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(ctx.client());
    let params = PatchParams::default();
    namespaces
        .patch(ctx.namespace(), &params, &Patch::Merge(labels))
        .await?;
    Ok(())
}

/// A list of named things (`env`, `volumes`) without this one.
pub(crate) fn drop_named(list: &mut serde_json::Value, name: &str) {
    if let Some(items) = list.as_array_mut() {
        items.retain(|item| item["name"] != name);
    }
}

fn policy(ctx: &Ctx, scale: &str) -> String {
    POLICY
        .replace("JOB", ctx.job())
        .replace("SCALE\n", &format!("{scale}\n"))
}

pub(crate) async fn status(pod: &ReadyPod) -> Result<Status> {
    let text = http::get_text(&format!("http://{}/status", pod.at(BOT_PORT))).await?;
    Ok(serde_json::from_str(&text)?)
}

/// What comes by mount takes the kubelet's time.
async fn await_level(pod: &ReadyPod, level: usize) -> Result<Status> {
    const MOUNTED: Duration = Duration::from_secs(150);
    let what = format!("{} to obey flags of level {level}", pod.name);
    await_condition(&what, MOUNTED, || async {
        let status = status(pod).await?;
        ensure!(
            status.epoch.is_some() && status.level == level,
            "its level is {}, its epoch {:?}",
            status.level,
            status.epoch
        );
        Ok(Some(status))
    })
    .await
}
