//! Which features are on: one immutable snapshot that each request takes once.
//!
//! # Guarantees
//!
//! - Before any flags are seen, the default of the bot's own manifest holds.
//! - Flags that cannot be read, or vanish, leave the last good ones in force.
//! - Flags with a lower epoch than the ones in force are ignored, whichever source they come from.

mod directory;
#[cfg(feature = "watch")]
mod watch;

pub(crate) use directory::follow as follow_directory;
#[cfg(feature = "watch")]
pub(crate) use watch::follow as follow_watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use brownout::flags::{DecodeError, Flags};
use brownout::policy::{NORMAL, State};
use brownout::time::Time;

use tokio::sync::watch as channel;

use crate::features::{Feature, Features};
use crate::metrics::Metrics;

/// What is in force.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) level: usize,
    pub(crate) level_name: String,
    pub(crate) since: Option<Time>,
    pub(crate) reason: String,
    /// `None` before the first flags.
    pub(crate) epoch: Option<i64>,
    pub(crate) features: Features,
}

/// Where flags come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The mounted `ConfigMap`.
    Directory,
    /// The API server.
    #[cfg(feature = "watch")]
    Watch,
}

/// How a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceState {
    /// It has not said anything yet.
    None,
    /// What it says is in force.
    Current,
    /// What it says is older than what is in force.
    Older,
    /// What it says cannot be read.
    Broken,
    /// It has no flags.
    Missing,
}

impl Source {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            #[cfg(feature = "watch")]
            Self::Watch => "watch",
        }
    }
}

impl SourceState {
    pub(crate) const ALL: [Self; 5] = [
        Self::None,
        Self::Current,
        Self::Older,
        Self::Broken,
        Self::Missing,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Current => "current",
            Self::Older => "older",
            Self::Broken => "broken",
            Self::Missing => "missing",
        }
    }
}

/// Holds the snapshot; sources offer, requests read.
pub(crate) struct FlagStore {
    current: ArcSwap<Snapshot>,
    /// Held while an offer is judged, so that two sources cannot overtake each other.
    states: Mutex<BTreeMap<Source, SourceState>>,
    metrics: Arc<Metrics>,
    changed: channel::Sender<()>,
}

impl FlagStore {
    /// With these features until the first flags are seen.
    pub(crate) fn new(sources: &[Source], unseen: Features, metrics: Arc<Metrics>) -> Self {
        metrics.obey(0, 0, unseen);
        let unseen = Snapshot {
            level: 0,
            level_name: NORMAL.to_owned(),
            since: None,
            reason: String::new(),
            epoch: None,
            features: unseen,
        };
        Self {
            current: ArcSwap::from_pointee(unseen),
            states: Mutex::new(sources.iter().map(|&s| (s, SourceState::None)).collect()),
            metrics,
            changed: channel::Sender::default(),
        }
    }

    /// What is in force; take it once per request.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Tells when something else is in force.
    pub(crate) fn changes(&self) -> channel::Receiver<()> {
        self.changed.subscribe()
    }

    /// Resolves when the feature is off: what waits in a queue then need not wait any longer.
    pub(crate) async fn until_off(&self, feature: Feature) {
        let mut changes = self.changes();
        while self.snapshot().features.state(feature) != State::Disabled {
            // the sender lives as long as `self`
            let _ = changes.changed().await;
        }
    }

    /// How each source stands.
    pub(crate) fn sources(&self) -> BTreeMap<Source, SourceState> {
        self.states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A source has a `ConfigMap`'s data, or has none any more.
    pub(crate) fn offer(&self, source: Source, data: Option<&BTreeMap<String, String>>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let decoded = data.map_or(Err(DecodeError::Missing), Flags::decode);
        let state = match decoded {
            Ok(flags) => self.judge(source, flags),
            Err(DecodeError::Missing) => SourceState::Missing,
            Err(error) => {
                tracing::warn!(source = source.name(), %error, "flags cannot be read; the last good ones stay");
                SourceState::Broken
            }
        };
        if states.insert(source, state) != Some(state) {
            tracing::info!(
                source = source.name(),
                state = state.name(),
                "source of flags"
            );
        }
        self.metrics.source(source, state);
    }

    fn judge(&self, source: Source, flags: Flags) -> SourceState {
        let current = self.current.load();
        if current.epoch.is_some_and(|epoch| flags.epoch < epoch) {
            return SourceState::Older;
        }
        let features = Features::of(&flags);
        if current.epoch != Some(flags.epoch) {
            tracing::info!(
                source = source.name(),
                level = flags.level,
                level_name = flags.level_name,
                epoch = flags.epoch,
                reason = flags.reason,
                "flags in force"
            );
        }
        self.metrics.obey(flags.level, flags.epoch, features);
        self.current.store(Arc::new(Snapshot {
            level: flags.level,
            level_name: flags.level_name,
            since: flags.since,
            reason: flags.reason,
            epoch: Some(flags.epoch),
            features,
        }));
        self.changed.send_replace(());
        SourceState::Current
    }
}

#[cfg(test)]
mod tests;
