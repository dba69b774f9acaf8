//! KEDA's own definitions, out of its published Go module: read there, neither built nor kept here.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::go;
use crate::paths;

/// The module; its version and its hash are in our go.mod and go.sum.
const MODULE: &str = "github.com/kedacore/keda/v2";

/// What `go mod download` says of a module.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    /// Where it lies.
    dir: PathBuf,
}

/// The definition of KEDA's `ScaledObject`, as YAML.
pub async fn scaled_object_definition() -> Result<String> {
    let go = go::find("KEDA's definition").await?;
    let output = download(&go).output().await.context("cannot start go")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("go mod download ended with {}: {words}", output.status);
    }
    let downloaded: Downloaded =
        serde_json::from_slice(&output.stdout).context("no JSON of a module")?;
    let file = downloaded
        .dir
        .join("config/crd/bases/keda.sh_scaledobjects.yaml");
    std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

fn download(go: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .args(["mod", "download", "-json", MODULE])
        .current_dir(paths::go_modules().join("keda"))
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=readonly")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
