//! The Go toolchain: is it there, is it new enough, how much will it have to do.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::build::{Recipe, go_command};
use super::on_path;

/// From this release on, Go fetches the newer toolchain that a go.mod asks for by itself.
const OLDEST: (u32, u32) = (1, 21);

/// Finds Go, or says what to install to get `wanted`.
pub(super) async fn find(wanted: &str) -> Result<PathBuf> {
    let Some(go) = on_path("go") else {
        bail!(
            "{wanted} has to be built and there is no `go` on the PATH: install Go 1.21 or newer (https://go.dev/dl/), \
             or name a folder that holds {wanted} in KUBEBUILDER_ASSETS"
        );
    };
    let output = Command::new(&go)
        .args(["env", "GOVERSION"])
        .output()
        .await
        .with_context(|| format!("cannot run {}", go.display()))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_version(&version) {
        Some(found) if found < OLDEST => bail!(
            "{wanted} has to be built and {} is {version}: install Go 1.21 or newer (https://go.dev/dl/)",
            go.display()
        ),
        // an unknown form (a development build, say) gets its chance
        _ => Ok(go),
    }
}

/// `go1.26.8` as (1, 26).
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("go")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some((major, minor.parse().ok()?))
}

/// How many packages a build consists of; downloads the modules on the way.
pub(super) async fn count_packages(go: &Path, recipe: &Recipe) -> Result<u64> {
    let output = go_command(go, recipe, "list")
        .args(["-deps", recipe.package])
        .stderr(Stdio::piped())
        .output()
        .await
        .context("cannot start go list")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("go list ended with {}: {}", output.status, words.trim());
    }
    let packages = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .count();
    Ok(u64::try_from(packages)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("go1.26.8"), Some((1, 26)));
        assert_eq!(parse_version("go1.21rc2"), Some((1, 21)));
        assert_eq!(parse_version("devel +abc"), None);
    }
}
