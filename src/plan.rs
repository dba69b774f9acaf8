//! A decision as the writes that carry it out: every write as data, in order, made without a client.
//!
//! # Guarantees
//!
//! - Where the cluster already is as it should be, a plan holds no write.
//! - Escalating, flags come before replicas; recovering, replicas before flags.
//! - A baseline is in [`Plan::record`] before the first write that would lose it.
//! - A plan made anew after any prefix of its writes leads to the same end.

mod autoscaler;
mod facts;
mod flags;
mod outcome;
pub mod reasons;
mod targets;

pub use autoscaler::{Autoscaling, Bounds, Hpa, Kept, ScaledObject};
pub use facts::{Baseline, Found, Owner, Part, SetBack, Target};
pub use flags::{FlagsMap, FoundMap};

use std::collections::BTreeMap;

use crate::policy::{LevelNumber, Policy, Workload};
use crate::time::Time;

/// How many times a target may be set back within [`CONTEST_WINDOW_SECS`] before it is left alone.
pub const CONTEST_LIMIT: usize = 3;

/// The window, in seconds, in which set-backs are counted.
pub const CONTEST_WINDOW_SECS: i64 = 600;

/// All that a plan is made from.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// What should be in force.
    pub wanted: Wanted<'a>,
    /// The flags `ConfigMap` as it is.
    pub config_map: &'a FlagsMap,
    /// The highest epoch that status remembers; 0 where it remembers none.
    pub epoch: i64,
    /// Every workload that a rung names or a baseline is held of, as it is.
    pub targets: &'a [Target],
    /// The baselines that status holds.
    pub baselines: &'a [Baseline],
    /// The time that a new epoch is made from.
    pub now: Time,
}

/// What should be in force.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// A level, its flags and its replicas.
    Level {
        /// The level.
        level: LevelNumber,
        /// Since when.
        since: Option<Time>,
        /// The reason, as the flags give it.
        reason: &'a str,
    },
    /// Nothing of ours: baselines restored, Normal published, the `ConfigMap` let go.
    HandBack,
}

/// Every write, in order, and what status should say before and after them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The baselines to have in status before the first write.
    pub record: Vec<Baseline>,
    /// The writes.
    pub writes: Vec<Write>,
    /// The baselines to have in status once every write has succeeded.
    pub settled: Vec<Baseline>,
    /// What cannot be carried out, and why. One refused target stops nothing else.
    pub refusals: Vec<Refusal>,
    /// Targets that somebody has set back since the last plan.
    pub set_backs: Vec<SetBack>,
    /// Whether this takes something back: the flags come after the workloads, and wait for them.
    pub recovering: bool,
    /// The flags as they are once the writes have succeeded; `None` where there are none of ours.
    pub published: Option<Published>,
}

/// The flags as published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Their epoch.
    pub epoch: i64,
    /// A hash of their content.
    pub hash: String,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// POST of the flags `ConfigMap`.
    CreateFlags {
        /// Its data.
        data: BTreeMap<String, String>,
    },
    /// PUT of the flags `ConfigMap`, whole, fenced by uid and resourceVersion.
    ReplaceFlags {
        /// The object that was read.
        uid: String,
        /// The version that was read.
        resource_version: String,
        /// Its data.
        data: BTreeMap<String, String>,
        /// Whether the policy label is dropped: the `ConfigMap` is let go.
        release: bool,
    },
    /// Merge patch of a workload's scale, fenced by resourceVersion.
    Scale {
        /// The workload.
        workload: Workload,
        /// The object that was read.
        uid: String,
        /// The version that was read.
        resource_version: String,
        /// The number that was read.
        from: i32,
        /// The number to write.
        to: i32,
        /// Whether this is the restore of a baseline, which is forgotten once it has succeeded.
        restore: bool,
    },
    /// Merge patch of a `HorizontalPodAutoscaler`, both bounds at once, fenced by resourceVersion.
    Bounds {
        /// The workload that it scales.
        workload: Workload,
        /// Its name.
        name: String,
        /// The object that was read.
        uid: String,
        /// The version that was read.
        resource_version: String,
        /// The bounds that were read.
        from: Bounds,
        /// The bounds to write.
        to: Bounds,
        /// As with [`Write::Scale`].
        restore: bool,
    },
    /// Merge patch of the annotation on KEDA's `ScaledObject` that pauses it, fenced by resourceVersion.
    Pause {
        /// The workload that it scales.
        workload: Workload,
        /// Its name.
        name: String,
        /// The object that was read.
        uid: String,
        /// The version that was read.
        resource_version: String,
        /// The annotation that was read.
        from: Option<String>,
        /// The annotation to write; `None` takes it off.
        to: Option<String>,
        /// As with [`Write::Scale`].
        restore: bool,
    },
}

impl Write {
    /// The workload that a write is about; `None` for the flags.
    pub fn workload(&self) -> Option<&Workload> {
        match self {
            Self::CreateFlags { .. } | Self::ReplaceFlags { .. } => None,
            Self::Scale { workload, .. }
            | Self::Bounds { workload, .. }
            | Self::Pause { workload, .. } => Some(workload),
        }
    }
}

/// Something that cannot be carried out: a condition reason and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A reason of `Ready=False`.
    pub reason: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// Makes the plan.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let flags = flags::plan(situation, &mut plan);
    let scales = targets::plan(situation, &mut plan);
    let recovering =
        flags::shown_level(situation.config_map).is_some_and(|shown| situation.level() < shown);
    plan.recovering = recovering;
    plan.writes = if recovering {
        scales.into_iter().chain(flags).collect()
    } else {
        flags.into_iter().chain(scales).collect()
    };
    plan
}

impl Situation<'_> {
    /// The level that should be in force.
    fn level(&self) -> LevelNumber {
        match self.wanted {
            Wanted::Level { level, .. } => level,
            Wanted::HandBack => 0,
        }
    }
}

#[cfg(test)]
mod tests;
