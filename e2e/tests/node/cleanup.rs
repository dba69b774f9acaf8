//! Does a node leave anything behind on this machine, and do two of them get along?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::cluster::Cluster;
use e2e::harness::{Ctx, trial_within};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use libtest_mimic::Trial;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::DEADLINE;

pub(crate) fn tests() -> Vec<Trial> {
    let within = 2 * DEADLINE;
    vec![
        trial_within(within, "cleanup_after_a_run", after_a_run),
        trial_within(within, "cleanup_after_a_killed_run", after_a_killed_run),
    ]
}

const GONE: Duration = Duration::from_secs(30);

/// A pod with what needs cleaning: a mount, an address, control groups.
const POD: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: flags}
data: {level: '0'}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: local/busybox:1
    imagePullPolicy: Never
    volumeMounts: [{name: flags, mountPath: /flags}]
  volumes: [{name: flags, configMap: {name: flags}}]
";

/// Beside the node of the other tests, which goes on.
async fn after_a_run(ctx: Ctx) -> Result<()> {
    ctx.apply(POD).await?;
    await_running(&ctx.api()).await?;

    let run = Arc::new(RunDir::create()?);
    let cluster = Cluster::start_with_node(Arc::clone(&run)).await?;
    cluster.apply(POD, "default").await?;
    await_running(&Api::namespaced(cluster.client(), "default")).await?;
    let traces = Traces::of(cluster.kubeconfig())?;
    traces.expect_something()?;

    run.clean();

    traces.await_nothing().await?;
    let said = ctx.kubectl(&["exec", "web", "--", "cat", "/flags/level"]);
    assert_eq!(said.await?, "0", "the other node's pod is as it was");
    Ok(())
}

/// Nobody is left to clean up but the kernel and the next run.
async fn after_a_killed_run(_ctx: Ctx) -> Result<()> {
    let mut up = Command::new(env!("CARGO_BIN_EXE_cluster"))
        .args(["up", "--node"])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a cluster")?;
    let mut lines = BufReader::new(up.stdout.take().context("no stdout")?).lines();
    let kubeconfig = loop {
        let line = lines
            .next_line()
            .await?
            .context("the cluster did not start")?;
        if let Some(path) = line.strip_prefix("export KUBECONFIG=") {
            break PathBuf::from(path);
        }
    };
    let traces = Traces::of(&kubeconfig)?;
    traces.expect_something()?;

    up.kill().await?;
    drop(RunDir::create()?);

    traces.await_nothing().await
}

async fn await_running(pods: &Api<Pod>) -> Result<()> {
    await_condition("the pod to run", DEADLINE, || async {
        let phase = pods
            .get("web")
            .await?
            .status
            .and_then(|status| status.phase);
        Ok((phase.as_deref() == Some("Running")).then_some(()))
    })
    .await
}

/// Where a node shows on this machine.
struct Traces {
    /// The folder of its run.
    folder: PathBuf,
    /// The namespaces of its processes, those of containers apart.
    namespaces: BTreeSet<PathBuf>,
    /// The third byte of its addresses, and the end of its link's name.
    number: String,
}

impl Traces {
    fn of(kubeconfig: &Path) -> Result<Self> {
        let folder = kubeconfig.parent().context("no folder")?.to_path_buf();
        let record = fs::read_to_string(folder.join("processes"))?;
        let started = record.lines().filter_map(|line| line.split('-').next());
        let ours = fs::read_link("/proc/self/ns/pid")?;
        let namespaces = started
            .filter_map(|pid| fs::read_link(format!("/proc/{pid}/ns/pid")).ok())
            .filter(|namespace| *namespace != ours)
            .collect();
        let text = fs::read_to_string(kubeconfig)?;
        let number = text
            .split("https://10.98.")
            .nth(1)
            .and_then(|rest| rest.split('.').next());
        Ok(Self {
            folder,
            namespaces,
            number: number.context("no address of a node's network")?.to_owned(),
        })
    }

    /// What is looked for can be found, as long as it is there.
    fn expect_something(&self) -> Result<()> {
        let found = self.found()?;
        ensure!(found.len() == 4, "of all that should be there: {found:?}");
        Ok(())
    }

    async fn await_nothing(&self) -> Result<()> {
        await_condition("nothing to be left of the node", GONE, || async {
            let found = self.found()?;
            ensure!(found.is_empty(), "there are {found:?}");
            Ok(Some(()))
        })
        .await?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let folder = self.folder.display().to_string();
        ensure!(!mounts.contains(&folder), "mounts are left: {mounts}");
        Ok(())
    }

    /// Processes, a link, control groups, a folder; all else lies in namespaces and goes with them.
    fn found(&self) -> Result<Vec<String>> {
        let name = self.folder.file_name().context("no name")?;
        let group = format!("brownout-{}", name.to_string_lossy());
        let groups = ["memory", "cpu", "pids", ""]
            .map(|controller| Path::new("/sys/fs/cgroup").join(controller).join(&group));
        let link = format!("/sys/class/net/brownout{}", self.number);
        let mut found = Vec::new();
        found.extend(self.process()?);
        found.extend(Path::new(&link).exists().then_some(link));
        found.extend(
            groups
                .iter()
                .find(|group| group.exists())
                .map(|group| group.display().to_string()),
        );
        let folder = &self.folder;
        found.extend(folder.exists().then(|| folder.display().to_string()));
        Ok(found)
    }

    fn process(&self) -> Result<Option<String>> {
        for entry in fs::read_dir("/proc")? {
            let path = entry?.path();
            let namespace = fs::read_link(path.join("ns/pid")); // most are no processes, or gone
            if namespace.is_ok_and(|namespace| self.namespaces.contains(&namespace)) {
                return Ok(Some(path.display().to_string()));
            }
        }
        Ok(None)
    }
}
