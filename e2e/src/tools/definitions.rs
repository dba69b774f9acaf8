//! Definitions that are others' own, out of their published Go modules: read there, neither built nor kept here.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::go;
use crate::paths;

/// What `go mod download` says of a module.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    /// Where it lies.
    dir: PathBuf,
}

/// The definition of KEDA's `ScaledObject`, as YAML.
pub async fn keda() -> Result<String> {
    let module = download("keda", "github.com/kedacore/keda/v2").await?;
    read(&module.join("config/crd/bases/keda.sh_scaledobjects.yaml"))
}

/// The definitions of the Prometheus Operator whose names are these (`podmonitors`), as YAML.
pub async fn prometheus_operator(names: &[&str]) -> Result<Vec<String>> {
    let module = "github.com/prometheus-operator/prometheus-operator";
    let module = download("prometheus-operator", module).await?;
    let folder = module.join("example/prometheus-operator-crd");
    let file = |name: &&str| folder.join(format!("monitoring.coreos.com_{name}.yaml"));
    names.iter().map(|name| read(&file(name))).collect()
}

/// Where a module lies; its version and its hash are in the go.mod and go.sum of this folder of ours.
async fn download(folder: &str, module: &str) -> Result<PathBuf> {
    let go = go::find(&format!("a definition of {folder}")).await?;
    let output = Command::new(go)
        .args(["mod", "download", "-json", module])
        .current_dir(paths::go_modules().join(folder))
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=readonly")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start go")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("go mod download ended with {}: {words}", output.status);
    }
    let downloaded: Downloaded =
        serde_json::from_slice(&output.stdout).context("no JSON of a module")?;
    Ok(downloaded.dir)
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
