//! Sees every version of the bot's flags, by a watch of its own past the proxy.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use brownout::flags::Flags;
use brownout::policy::State;
use e2e::harness::Ctx;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Api, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

/// Watches until it is dropped.
pub(crate) struct Observer {
    state: Arc<Mutex<Observed>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Observed {
    /// While the metrics are bad, no lower level may be shown.
    floor: usize,
    /// Older versions may come late, and are judged by the floor of their time.
    floor_from: i64,
    epoch: i64,
    versions: usize,
    wrong: Vec<String>,
}

impl Observer {
    pub(crate) fn start(ctx: &Ctx) -> Self {
        let state = Arc::new(Mutex::new(Observed::default()));
        let (maps, seen) = (ctx.api::<ConfigMap>(), Arc::clone(&state));
        let task = tokio::spawn(async move {
            let mut version = "0".to_owned();
            loop {
                if watch(&maps, &seen, &mut version).await.is_err() {
                    lock(&seen)
                        .wrong
                        .push("the observer's own watch failed".to_owned());
                    return;
                }
            }
        });
        Self { state, task }
    }

    /// From this epoch on no lower level may be shown.
    pub(crate) fn floor(&self, level: usize, epoch: i64) {
        let mut observed = lock(&self.state);
        observed.floor = level;
        observed.floor_from = epoch;
    }

    /// Everything that was wrong.
    pub(crate) fn verdict(&self) -> Result<()> {
        let observed = lock(&self.state);
        if observed.versions == 0 {
            bail!("the observer has seen no flags");
        }
        if !observed.wrong.is_empty() {
            bail!("{}", observed.wrong.join("; "));
        }
        Ok(())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(maps: &Api<ConfigMap>, state: &Mutex<Observed>, version: &mut String) -> Result<()> {
    let ours = WatchParams::default().fields("metadata.name=bot-flags");
    let mut events = maps.watch(&ours, version).await?.boxed();
    while let Some(event) = events.next().await {
        match event? {
            WatchEvent::Added(map) | WatchEvent::Modified(map) => {
                *version = map.resource_version().unwrap_or_default();
                lock(state).look(&map);
            }
            WatchEvent::Deleted(_) => lock(state).wrong.push("the flags were deleted".to_owned()),
            WatchEvent::Bookmark(mark) => *version = mark.metadata.resource_version,
            WatchEvent::Error(status) => bail!("{status:?}"),
        }
    }
    Ok(())
}

impl Observed {
    fn look(&mut self, map: &ConfigMap) {
        self.versions += 1;
        let flags = match map.data.as_ref().map(Flags::decode) {
            Some(Ok(flags)) => flags,
            other => {
                self.wrong.push(format!("no flags: {other:?}"));
                return;
            }
        };
        if flags.epoch < self.epoch {
            let (from, to) = (self.epoch, flags.epoch);
            self.wrong
                .push(format!("the epoch went back from {from} to {to}"));
        }
        self.epoch = self.epoch.max(flags.epoch);
        if flags.epoch >= self.floor_from && flags.level < self.floor {
            let (level, floor) = (flags.level, self.floor);
            self.wrong.push(format!(
                "level {level} was published where {floor} is right"
            ));
        }
        for (name, from) in [("animations", 1), ("ai-chat", 2)] {
            let state = flags.features.get(name).map(|flag| flag.state);
            if flags.level >= from && state != Some(State::Disabled) {
                self.wrong
                    .push(format!("{name} is {state:?} at level {}", flags.level));
            }
        }
    }
}

fn lock(state: &Mutex<Observed>) -> MutexGuard<'_, Observed> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
