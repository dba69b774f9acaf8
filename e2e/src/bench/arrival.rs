//! How long changed flags take to reach a bot in a pod, from the write of the `ConfigMap` to the bot that
//! obeys it: by its mount, and by its watch.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::figures::{heading, line, millis, percentile};
use crate::bot::Status;
use crate::environment::Environment;
use crate::http;
use crate::node::VOLUME_SYNC;
use crate::pods::ReadyPod;
use crate::shipped;

/// So many bots of each kind, each with flags of its own; the kubelet does not sync them together.
const BOTS: usize = 12;
const ROUNDS: u32 = 5;
const READY: Duration = Duration::from_secs(180);
const LONG: Duration = Duration::from_secs(180);
const PORT: u16 = 8080;
/// No flags are written sooner after those before.
const PAUSE: Duration = Duration::from_secs(1);

/// How a bot gets its flags, and how often it is asked what it obeys.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    environment: &'static str,
    glance: Duration,
    /// Changes come at different times of the kubelet's period.
    spread: Duration,
}

const MOUNT: Way = Way {
    name: "mount",
    environment: "{name: CHATBOTLER_FLAGS_DIR, value: /flags}",
    glance: Duration::from_millis(50),
    spread: VOLUME_SYNC,
};
const WATCH: Way = Way {
    name: "watch",
    environment: "{name: CHATBOTLER_FLAGS_CONFIGMAP, value: WAY-NUMBER}",
    glance: Duration::from_millis(2),
    spread: Duration::from_secs(1),
};

const ACCOUNT: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: bot}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: bot}
rules: [{apiGroups: [''], resources: [configmaps], resourceNames: [NAMES], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bot}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: bot}
subjects: [{kind: ServiceAccount, name: bot}]
";

const BOT: &str = "
apiVersion: v1
kind: Pod
metadata: {name: WAY-NUMBER, labels: {way: WAY}}
spec:
  serviceAccountName: bot
  terminationGracePeriodSeconds: 0
  containers:
  - name: bot
    image: IMAGE
    env: [ENVIRONMENT]
    readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
    volumeMounts: [{name: flags, mountPath: /flags}]
  volumes: [{name: flags, configMap: {name: WAY-NUMBER}}]
";

pub(super) async fn measure(environment: &Environment) -> Result<()> {
    let cluster = &environment.cluster;
    let images = cluster
        .node()?
        .import(&shipped::image("chatbotler")?)
        .await?;
    let image = images.first().context("the archive is empty")?;
    let namespace = cluster.namespace("arrival").await?;
    let names = (0..BOTS).map(|number| format!("watch-{number}"));
    let names = names.collect::<Vec<_>>().join(", ");
    let account = ACCOUNT.replace("NAMES", &names);
    cluster.apply(&account, &namespace).await?;
    for way in [WATCH, MOUNT] {
        let pods = start(environment, &namespace, way, image).await?;
        let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), &namespace);
        let lanes = pods
            .iter()
            .zip(0..)
            .map(|(pod, lane)| follow(&maps, pod, way, lane));
        let mut all: Vec<Duration> = try_join_all(lanes).await?.concat();
        all.sort_unstable();
        report(way, &all);
    }
    cluster.leave(&namespace).await;
    Ok(())
}

async fn start(
    environment: &Environment,
    namespace: &str,
    way: Way,
    image: &str,
) -> Result<Vec<ReadyPod>> {
    let cluster = &environment.cluster;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
    for number in 0..BOTS {
        let name = format!("{}-{number}", way.name);
        write(&maps, &name, 1).await?;
        let pod = BOT
            .replace("ENVIRONMENT", way.environment)
            .replace("WAY", way.name)
            .replace("NUMBER", &number.to_string())
            .replace("IMAGE", image);
        cluster.apply(&pod, namespace).await?;
    }
    let labels = format!("way={}", way.name);
    cluster.await_pods(namespace, &labels, BOTS, READY).await
}

/// Writes again and again and waits each time for the bot to obey.
async fn follow(
    maps: &Api<ConfigMap>,
    pod: &ReadyPod,
    way: Way,
    lane: u32,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        // in steps of 7/12: every twelfth of the spread has its turn, in no order
        let twelfth = (lane * 7 + round * 5) % 12;
        sleep(PAUSE + way.spread * twelfth / 12).await;
        let epoch = i64::from(round) + 2;
        let written = Instant::now();
        write(maps, &pod.name, epoch).await?;
        obeyed(pod, epoch, way.glance).await?;
        times.push(written.elapsed());
    }
    Ok(times)
}

async fn obeyed(pod: &ReadyPod, epoch: i64, glance: Duration) -> Result<()> {
    let url = format!("http://{}/status", pod.at(PORT));
    let begun = Instant::now();
    loop {
        let status: Status = serde_json::from_str(&http::get_text(&url).await?)?;
        if status.epoch >= Some(epoch) {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < LONG,
            "{} never obeyed its flags",
            pod.name
        );
        sleep(glance).await;
    }
}

/// The part of the flags that the bot reads.
async fn write(maps: &Api<ConfigMap>, name: &str, epoch: i64) -> Result<()> {
    let state = json!({
        "version": 1, "policy": name, "level": epoch % 2, "levelName": "any", "since": Timestamp::now().to_string(),
        "epoch": epoch, "reason": "a benchmark",
        "features": {"animations": {"state": "Enabled", "value": true, "tier": "Luxury"}},
    });
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"state.json": state.to_string()},
    });
    let params = PatchParams::apply("brownout-bench").force();
    maps.patch(name, &params, &Patch::Apply(map)).await?;
    Ok(())
}

fn report(way: Way, sorted: &[Duration]) {
    heading(&format!(
        "From the write of the flags to the bot that obeys them, by {} ({} changes, {BOTS} pods)",
        way.name,
        sorted.len()
    ));
    let [p50, p99] = [50, 99].map(|percent| millis(percentile(sorted, percent)));
    line("written to obeyed", format!("p50 {p50}, p99 {p99}"));
    if way.spread == VOLUME_SYNC {
        line(
            "the kubelet's syncFrequency here",
            format!("{} (by default 60000 ms)", millis(VOLUME_SYNC)),
        );
    }
}
