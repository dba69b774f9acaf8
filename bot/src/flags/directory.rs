//! Flags from a mounted `ConfigMap`.
//!
//! The kubelet writes each generation into a directory of its own and then swaps the symbolic link
//! `..data` to it. The link is polled rather than watched: a watch on a file dies with the first
//! swap, and behind a kubelet that takes up to a minute a second is nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::fs;
use tokio::time::MissedTickBehavior;

use super::{FlagStore, Source};

const LINK: &str = "..data";
/// A flags `ConfigMap` is at most 1 MiB; nothing larger is read.
const MOST_BYTES: u64 = 1 << 20;

/// Offers what the directory holds at each change, for ever. Where there is no `..data`, as on a
/// developer's machine, the files are read from the directory itself.
pub(crate) async fn follow(dir: PathBuf, interval: Duration, store: Arc<FlagStore>) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        ticks.tick().await;
        let data = match read(&dir).await {
            Ok(data) => Some(data),
            Err(error) => {
                tracing::debug!(dir = %dir.display(), %error, "no flags in the directory");
                None
            }
        };
        if last.as_ref() != Some(&data) {
            store.offer(Source::Directory, data.as_ref());
            last = Some(data);
        }
    }
}

/// One generation: the link is read once, and read again where the kubelet took that generation
/// away in between.
pub(super) async fn read(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut generation = resolve(dir).await;
    loop {
        let result = read_generation(&generation).await;
        let now = resolve(dir).await;
        if result.is_ok() || now == generation {
            return result;
        }
        generation = now;
    }
}

async fn resolve(dir: &Path) -> PathBuf {
    match fs::read_link(dir.join(LINK)).await {
        Ok(target) => dir.join(target),
        Err(_) => dir.to_owned(),
    }
}

async fn read_generation(dir: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut data = BTreeMap::new();
    let mut entries = fs::read_dir(dir).await?;
    while let Some(entry) = entries.next_entry().await? {
        let Ok(key) = entry.file_name().into_string() else {
            continue;
        };
        // the kubelet's own, and what editors leave behind: no key that a bot reads begins so
        if key.starts_with('.') {
            continue;
        }
        let meta = fs::metadata(entry.path()).await?;
        if meta.is_file() && meta.len() <= MOST_BYTES {
            let bytes = fs::read(entry.path()).await?;
            data.insert(key, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(data)
}
