//! The operator's pods, as they are shipped: how large, how soon ready, how much memory the leader takes at rest.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::figures::{heading, line, mebibytes, millis};
use crate::environment::Environment;
use crate::node;
use crate::pods::{ReadyPod, install_operator};
use crate::shipped;
use crate::wait::await_condition;

/// The first leader waits until the time of its Lease is out.
const LEADS: Duration = Duration::from_secs(60);
/// What a start needs is given back by then.
const SETTLED: Duration = Duration::from_secs(15);
/// The kubelet's figures are some seconds old.
const KNOWN: Duration = Duration::from_secs(60);

pub(super) async fn measure(environment: &Environment) -> Result<()> {
    heading("The images and the operator's pod");
    for name in ["brownout", "chatbotler"] {
        let archive = shipped::image(name)?;
        line(
            &format!("image {name}"),
            mebibytes(fs::metadata(&archive)?.len()),
        );
        environment.cluster.node()?.import(&archive).await?;
    }
    let begun = Instant::now();
    install_operator(environment).await?;
    line("manifests applied to pods ready", millis(begun.elapsed()));
    let pod = environment.cluster.await_leader(LEADS).await?;
    let (working_set, anonymous) = at_rest(environment, &pod).await?;
    line("memory at rest (working set)", mebibytes(working_set));
    line("memory at rest (anonymous)", mebibytes(anonymous));
    Ok(())
}

/// As the kubelet measures it, some time after the start: the working set is what limits and `kubectl top`
/// go by, with the pages of the executable that are in use; the anonymous part is the heap and the stacks.
async fn at_rest(environment: &Environment, pod: &ReadyPod) -> Result<(u64, u64)> {
    let client = environment.cluster.client();
    let path = format!("/api/v1/nodes/{}/proxy/stats/summary", node::NAME);
    let settled = Timestamp::now() + SETTLED;
    await_condition("the kubelet's figures of the pod", KNOWN, || async {
        let request = axum::http::Request::get(&path).body(Vec::new())?;
        let summary: Value = client.request(request).await?;
        let pods = summary["pods"].as_array().context("no pods")?;
        let found = pods
            .iter()
            .find(|found| found["podRef"]["name"] == pod.name.as_str());
        let memory = &found.context("not known yet")?["containers"][0]["memory"];
        let measured: Timestamp = memory["time"].as_str().context("no time")?.parse()?;
        ensure!(measured > settled, "measured too early, at {measured}");
        let figure = |name: &str| memory[name].as_u64().context("no figure");
        Ok(Some((figure("workingSetBytes")?, figure("rssBytes")?)))
    })
    .await
}
