//! The flags `ConfigMap`: created, replaced whole, let go; never adopted from somebody else.

use std::collections::BTreeMap;

use super::{Plan, Published, Refusal, Situation, Wanted, Write, reasons};
use crate::flags::{Flags, content_hash, next_epoch};
use crate::policy::{LevelNumber, NORMAL};

/// The flags `ConfigMap` as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagsMap {
    /// There is none.
    Absent,
    /// One that bears our labels, or that an earlier policy let go and that may be taken up.
    Ours(FoundMap),
    /// One that is somebody else's, or another policy's; a sentence that says whose.
    Foreign(String),
    /// Another policy, which was there first, names the same `ConfigMap`.
    HeldBy(String),
    /// We may not read it: a sentence that does not change by itself.
    Forbidden(String),
}

/// A `ConfigMap` that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMap {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Whether it bears our policy label; one that was let go does not.
    pub claimed: bool,
    /// Its data.
    pub data: BTreeMap<String, String>,
    /// Whether it has `binaryData` too, which a mounted directory shows beside ours.
    pub binary: bool,
}

/// The level that the flags show now, where they can be read.
pub(super) fn shown_level(map: &FlagsMap) -> Option<LevelNumber> {
    match map {
        FlagsMap::Ours(found) => Flags::decode(&found.data).ok().map(|flags| flags.level),
        FlagsMap::Absent | FlagsMap::Foreign(_) | FlagsMap::HeldBy(_) | FlagsMap::Forbidden(_) => {
            None
        }
    }
}

/// Plans the flags; the write comes back, the rest goes into the plan.
pub(super) fn plan(situation: &Situation<'_>, plan: &mut Plan) -> Option<Write> {
    match (situation.config_map, situation.wanted) {
        // Also when all is handed back: what cannot be read cannot be let go.
        (FlagsMap::Forbidden(words), _) => {
            plan.refusals.push(forbidden(words));
            None
        }
        (FlagsMap::Foreign(whose), Wanted::Level { .. }) => {
            plan.refusals
                .push(not_owned(&situation.policy.config_map, whose));
            None
        }
        (FlagsMap::HeldBy(holder), Wanted::Level { .. }) => {
            plan.refusals
                .push(held(&situation.policy.config_map, holder));
            None
        }
        (
            FlagsMap::Absent,
            Wanted::Level {
                level,
                since,
                reason,
            },
        ) => {
            let epoch = next_epoch(situation.epoch, situation.now);
            let data =
                Flags::at(situation.policy, level, since, reason, epoch).encode(situation.policy);
            plan.published = Some(Published {
                epoch,
                hash: content_hash(&data),
            });
            Some(Write::CreateFlags { data })
        }
        (
            FlagsMap::Ours(found),
            Wanted::Level {
                level,
                since,
                reason,
            },
        ) => {
            let make = |epoch| Flags::at(situation.policy, level, since, reason, epoch);
            let (epoch, data, changed) = replace(situation, found, make);
            plan.published = Some(Published {
                epoch,
                hash: content_hash(&data),
            });
            (changed || !found.claimed).then(|| write(found, data, false))
        }
        // What was let go already stays as it is.
        (FlagsMap::Ours(found), Wanted::HandBack) if found.claimed => {
            let since = situation.now;
            let make = |epoch| Flags::at(situation.policy, 0, Some(since), NORMAL, epoch);
            let (_, data, _) = replace(situation, found, make);
            Some(write(found, data, true))
        }
        (_, Wanted::HandBack) => None,
    }
}

/// The epoch and data to be there, and whether they differ from what is there. The epoch grows only
/// with the content; the higher of status and `ConfigMap` is where it grows from.
fn replace(
    situation: &Situation<'_>,
    found: &FoundMap,
    make: impl Fn(i64) -> Flags,
) -> (i64, BTreeMap<String, String>, bool) {
    let shown = Flags::decode(&found.data).map_or(0, |flags| flags.epoch);
    let same = make(shown).encode(situation.policy);
    if shown >= situation.epoch && same == found.data && !found.binary {
        return (shown, same, false);
    }
    let epoch = next_epoch(shown.max(situation.epoch), situation.now);
    (epoch, make(epoch).encode(situation.policy), true)
}

fn write(found: &FoundMap, data: BTreeMap<String, String>, release: bool) -> Write {
    Write::ReplaceFlags {
        uid: found.uid.clone(),
        resource_version: found.resource_version.clone(),
        data,
        release,
    }
}

fn not_owned(name: &str, whose: &str) -> Refusal {
    Refusal {
        reason: reasons::CONFIG_MAP_NOT_OWNED,
        message: format!(
            "the ConfigMap {name} {whose}: name another in spec.flags.configMap, or delete that one"
        ),
    }
}

fn forbidden(words: &str) -> Refusal {
    Refusal {
        reason: reasons::FORBIDDEN,
        message: words.to_owned(),
    }
}

fn held(name: &str, holder: &str) -> Refusal {
    Refusal {
        reason: reasons::TARGET_CONFLICT,
        message: format!(
            "the ConfigMap {name} is held by the policy {holder}, which was there first: \
             name another in spec.flags.configMap"
        ),
    }
}
