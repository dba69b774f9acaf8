//! Which features are on: one immutable snapshot that each request takes once.
//!
//! # Guarantees
//!
//! - Before any flags are seen, the default of the bot's own manifest holds.
//! - Flags that cannot be read, or vanish, leave the last good ones in force.
//! - Flags with a lower epoch than the ones in force are ignored, whichever source they come from.
//! - What an `OpenFeature` provider says is obeyed beside them: a feature is as far off as either says.

mod directory;
#[cfg(feature = "openfeature")]
mod openfeature;
#[cfg(feature = "watch")]
mod watch;

pub(crate) use directory::follow as follow_directory;
#[cfg(feature = "openfeature")]
pub(crate) use openfeature::follow as follow_openfeature;
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
    /// A provider that whoever embeds the bot set up.
    #[cfg(feature = "openfeature")]
    OpenFeature,
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
            #[cfg(feature = "openfeature")]
            Self::OpenFeature => "openfeature",
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
    held: Mutex<Held>,
    metrics: Arc<Metrics>,
    changed: channel::Sender<()>,
}

/// What the sources have said.
struct Held {
    states: BTreeMap<Source, SourceState>,
    /// What each of those that have epochs last said that could be read.
    epochs: BTreeMap<Source, i64>,
    /// Of those that have epochs; before the first flags, the default.
    ranked: Snapshot,
    #[cfg(feature = "openfeature")]
    provided: Option<openfeature::Provided>,
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
            current: ArcSwap::from_pointee(unseen.clone()),
            held: Mutex::new(Held {
                states: sources.iter().map(|&s| (s, SourceState::None)).collect(),
                epochs: BTreeMap::new(),
                ranked: unseen,
                #[cfg(feature = "openfeature")]
                provided: None,
            }),
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
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.states.clone()
    }

    /// A source has a `ConfigMap`'s data, or has none any more.
    pub(crate) fn offer(&self, source: Source, data: Option<&BTreeMap<String, String>>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let decoded = data.map_or(Err(DecodeError::Missing), Flags::decode);
        let state = match decoded {
            Ok(flags) => {
                held.epochs.insert(source, flags.epoch);
                self.judge(&mut held, source, flags)
            }
            Err(DecodeError::Missing) => SourceState::Missing,
            Err(error) => {
                tracing::warn!(source = source.name(), %error, "flags cannot be read; the last good ones stay");
                SourceState::Broken
            }
        };
        self.stand(&mut held, source, state);
        self.overtake(&mut held);
    }

    /// Whoever has fallen behind what is in force is no longer current.
    fn overtake(&self, held: &mut Held) {
        let said = held.epochs.iter();
        let behind = said.filter(|&(source, &epoch)| {
            held.states.get(source) == Some(&SourceState::Current)
                && held.ranked.epoch.is_some_and(|in_force| epoch < in_force)
        });
        let behind: Vec<Source> = behind.map(|(&source, _)| source).collect();
        for source in behind {
            self.stand(held, source, SourceState::Older);
        }
    }

    fn stand(&self, held: &mut Held, source: Source, state: SourceState) {
        if held.states.insert(source, state) != Some(state) {
            tracing::info!(
                source = source.name(),
                state = state.name(),
                "source of flags"
            );
        }
        self.metrics.source(source, state);
    }

    fn judge(&self, held: &mut Held, source: Source, flags: Flags) -> SourceState {
        let current = &held.ranked;
        if current.epoch.is_some_and(|epoch| flags.epoch < epoch) {
            return SourceState::Older;
        }
        let features = Features::of(&flags);
        let in_vain = Features::in_vain(&flags);
        if current.epoch != Some(flags.epoch) {
            tracing::info!(
                source = source.name(),
                level = flags.level,
                level_name = flags.level_name,
                epoch = flags.epoch,
                reason = flags.reason,
                "flags in force"
            );
            if !in_vain.is_empty() {
                tracing::warn!(features = ?in_vain, "the flags name what the bot does not have or cannot do without");
            }
        }
        self.metrics.in_vain(in_vain.len());
        held.ranked = Snapshot {
            level: flags.level,
            level_name: flags.level_name,
            since: flags.since,
            reason: flags.reason,
            epoch: Some(flags.epoch),
            features,
        };
        self.settle(held);
        SourceState::Current
    }

    /// Puts in force what the sources say together.
    fn settle(&self, held: &Held) {
        let snapshot = held.together();
        let epoch = snapshot.epoch.unwrap_or(0);
        self.metrics.obey(snapshot.level, epoch, snapshot.features);
        self.current.store(Arc::new(snapshot));
        self.changed.send_replace(());
    }
}

impl Held {
    #[cfg(not(feature = "openfeature"))]
    fn together(&self) -> Snapshot {
        self.ranked.clone()
    }

    #[cfg(feature = "openfeature")]
    fn together(&self) -> Snapshot {
        let ranked = self.ranked.clone();
        let Some(provided) = &self.provided else {
            return ranked;
        };
        let alone = self
            .states
            .keys()
            .all(|&source| source == Source::OpenFeature);
        if alone {
            let level_name = match provided.level {
                0 => NORMAL.to_owned(),
                level => format!("level {level}"),
            };
            return Snapshot {
                level: provided.level,
                level_name,
                // before the first flags `ranked` is the default, and alone it stays that
                features: provided
                    .features
                    .with(&provided.unanswered, ranked.features),
                ..ranked
            };
        }
        Snapshot {
            features: ranked.features.least(provided.features),
            ..ranked
        }
    }
}

#[cfg(test)]
mod tests;
