//! Targets of a Prometheus, one file each, found by its file discovery.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use serde_json::json;

/// A registered target. Dropping it ends the registration.
#[derive(Debug)]
#[must_use = "dropping a target ends its registration"]
pub struct Target {
    file: PathBuf,
}

impl Target {
    pub(super) fn add(folder: &Path, address: &str, labels: &[(&str, &str)]) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let text = json!([{"targets": [address], "labels": labels}]).to_string();
        // renamed into the folder: discovery must not read half a file
        let draft = folder.with_file_name(format!("{number}.draft"));
        let file = folder.join(format!("{number}.json"));
        fs::write(&draft, text).with_context(|| format!("cannot write {}", draft.display()))?;
        fs::rename(&draft, &file).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { file })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file); // the run's folder may be gone already
    }
}
