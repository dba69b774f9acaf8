//! Building one server from its Go module.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use super::{Tool, go};
use crate::paths;
use crate::progress::Progress;
use crate::spawn;

/// What `go build` must know. The version is also in the module's go.mod (a test compares).
pub(super) struct Recipe {
    /// The folder of our go.mod.
    pub(super) module: &'static str,
    pub(super) version: &'static str,
    pub(super) package: &'static str,
    tags: &'static str,
    ldflags: &'static str,
}

/// Without these the servers call themselves v0.0.0-master, and clients believe them.
const KUBERNETES_LDFLAGS: &str = "-s -w \
    -X k8s.io/component-base/version.gitVersion=v1.34.4 \
    -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=34 \
    -X k8s.io/client-go/pkg/version.gitVersion=v1.34.4";

const fn kubernetes(package: &'static str) -> Recipe {
    Recipe {
        module: "kubernetes",
        version: "v1.34.4",
        package,
        tags: "",
        ldflags: KUBERNETES_LDFLAGS,
    }
}

const fn prometheus(package: &'static str) -> Recipe {
    Recipe {
        module: "prometheus",
        version: "v0.315.0", // the module of Prometheus 3.15
        package,
        // the clouds' service discovery is most of Prometheus' dependencies, and unused here
        tags: "netgo,remove_all_sd,enable_kubernetes_sd",
        ldflags: "-s -w -X github.com/prometheus/common/version.Version=3.15.0",
    }
}

pub(super) fn recipe(tool: Tool) -> Recipe {
    match tool {
        Tool::Etcd => Recipe {
            module: "etcd",
            version: "v3.6.5",
            package: "go.etcd.io/etcd/server/v3",
            tags: "",
            ldflags: "-s -w",
        },
        Tool::KubeApiserver => kubernetes("k8s.io/kubernetes/cmd/kube-apiserver"),
        Tool::KubeControllerManager => kubernetes("k8s.io/kubernetes/cmd/kube-controller-manager"),
        Tool::KubeScheduler => kubernetes("k8s.io/kubernetes/cmd/kube-scheduler"),
        Tool::Kubelet => kubernetes("k8s.io/kubernetes/cmd/kubelet"),
        Tool::KubeProxy => kubernetes("k8s.io/kubernetes/cmd/kube-proxy"),
        Tool::Kubectl => kubernetes("k8s.io/kubernetes/cmd/kubectl"),
        Tool::CoreDns => Recipe {
            module: "coredns",
            version: "v1.15.0",
            package: "github.com/coredns/coredns",
            tags: "",
            ldflags: "-s -w",
        },
        Tool::MetricsServer => Recipe {
            module: "metrics-server",
            version: "v0.9.0",
            package: "sigs.k8s.io/metrics-server/cmd/metrics-server",
            tags: "",
            ldflags: "-s -w \
                -X k8s.io/client-go/pkg/version.gitVersion=v0.9.0 \
                -X k8s.io/component-base/version.gitVersion=v0.9.0",
        },
        Tool::Prometheus => prometheus("github.com/prometheus/prometheus/cmd/prometheus"),
        Tool::Promtool => prometheus("github.com/prometheus/prometheus/cmd/promtool"),
        Tool::VictoriaMetrics => Recipe {
            module: "victoria-metrics",
            version: "v1.131.0",
            package: "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics",
            tags: "",
            ldflags: "-s -w",
        },
        Tool::NatsServer => Recipe {
            module: "nats",
            version: "v2.15.2",
            package: "github.com/nats-io/nats-server/v2",
            tags: "",
            ldflags: "-s -w",
        },
    }
}

/// Builds `tool` and puts it at `target` in one step, so that nobody ever runs half a file.
pub(super) async fn build(tool: Tool, target: &Path) -> Result<PathBuf> {
    let recipe = recipe(tool);
    let go = go::find(tool.name()).await?;
    let log = log_path(tool)?;
    let mut progress = Progress::start(format!("building {} {}", tool.name(), recipe.version));
    let unfinished = target.with_file_name(format!(".{}.unfinished", tool.name()));

    let result = async {
        progress.total(go::count_packages(&go, &recipe).await?);
        compile(&go, &recipe, &unfinished, &log, &mut progress).await
    }
    .await;
    match result {
        Ok(()) => progress.finish(),
        Err(error) => {
            progress.fail();
            append(&log, &format!("{error:#}\n"));
            let _ = fs::remove_file(&unfinished); // often it was never made
            return Err(error.context(format!(
                "cannot build {}; its log: {}",
                tool.name(),
                log.display()
            )));
        }
    }
    fs::rename(&unfinished, target).with_context(|| {
        format!(
            "cannot move the built {} to {}",
            tool.name(),
            target.display()
        )
    })?;
    Ok(target.to_path_buf())
}

fn log_path(tool: Tool) -> Result<PathBuf> {
    let folder = paths::cache()?.join("logs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join(format!("build-{}.log", tool.name())))
}

/// The reason is told to the person as well, so a log that cannot be written is no new error.
fn append(log: &Path, text: &str) {
    if let Ok(mut file) = fs::File::options().create(true).append(true).open(log) {
        let _ = file.write_all(text.as_bytes());
    }
}

/// Runs `go build -v`, which names each package as it is compiled: that is the progress.
async fn compile(
    go: &Path,
    recipe: &Recipe,
    output: &Path,
    log: &Path,
    progress: &mut Progress,
) -> Result<()> {
    let mut child = go_command(go, recipe, "build")
        .args(["-v", "-trimpath", "-ldflags", recipe.ldflags, "-o"])
        .arg(output)
        .arg(recipe.package)
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start go build")?;
    let stderr = child.stderr.take().context("go build has no stderr")?;
    let mut lines = BufReader::new(stderr).lines();
    let mut file = tokio::fs::File::create(log).await?;
    let mut last = String::new();
    while let Some(line) = lines.next_line().await? {
        file.write_all(format!("{line}\n").as_bytes()).await?;
        progress.step();
        last = line;
    }
    file.flush().await?;
    let status = child.wait().await?;
    if !status.success() {
        bail!("go build ended with {status}, its last words: {last}");
    }
    Ok(())
}

/// A go command in the module's folder that may not change go.mod or go.sum, and that ends when
/// we do: nobody else would know that the file it writes is being written.
pub(super) fn go_command(go: &Path, recipe: &Recipe, subcommand: &str) -> Command {
    let mut command = Command::from(spawn::command(go));
    command
        .arg(subcommand)
        .args(["-mod=readonly", "-tags", recipe.tags])
        .current_dir(paths::go_modules().join(recipe.module))
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
