//! Where things are kept: what survives `cargo clean` and is shared by all checkouts of one
//! person lies in the cache folder, everything else in the checkout.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The cache folder: `BROWNOUT_CACHE`, else `brownout` in the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    if let Some(explicit) = env::var_os("BROWNOUT_CACHE") {
        return Ok(PathBuf::from(explicit));
    }
    if let Some(xdg) = env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(xdg).join("brownout"));
    }
    let home = env::var_os("HOME")
        .context("none of BROWNOUT_CACHE, XDG_CACHE_HOME and HOME is set: set BROWNOUT_CACHE")?;
    Ok(PathBuf::from(home).join(".cache/brownout"))
}

/// The root of the checkout that this crate was compiled from.
pub fn checkout() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The folder with one Go module per tool.
pub(crate) fn go_modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools")
}

/// The folder of the executables that cargo built beside this one: `target/<profile>`.
pub fn target_profile() -> Result<PathBuf> {
    let exe = env::current_exe().context("this process has no executable path")?;
    let folder = exe.parent().context("this executable has no folder")?;
    // test executables lie one deeper, in target/<profile>/deps
    Ok(match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().unwrap_or(folder).to_path_buf(),
        _ => folder.to_path_buf(),
    })
}
