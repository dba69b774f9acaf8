//! `state.json`: the whole state, its fields in the order of the contract.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DecodeError, Flag, Flags, VERSION};
use crate::policy::LevelNumber;
use crate::time::Time;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    version: u64,
    policy: String,
    level: LevelNumber,
    level_name: String,
    since: Option<String>,
    epoch: i64,
    reason: String,
    features: BTreeMap<String, Flag>,
}

/// Read before the rest, so that a document of another shape is refused by its version.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

pub(super) fn write(flags: &Flags) -> String {
    let document = Document {
        version: VERSION,
        policy: flags.policy.clone(),
        level: flags.level,
        level_name: flags.level_name.clone(),
        since: flags.since.map(|at| at.to_string()),
        epoch: flags.epoch,
        reason: flags.reason.clone(),
        features: flags.features.clone(),
    };
    // strings, integers and string keys: nothing here that JSON cannot hold
    serde_json::to_string(&document).unwrap_or_default()
}

pub(super) fn read(text: &str) -> Result<Flags, DecodeError> {
    let Versioned { version } = serde_json::from_str(text)?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let document: Document = serde_json::from_str(text)?;
    let since = document.since.as_deref().map(str::parse).transpose()?;
    Ok(Flags {
        policy: document.policy,
        level: document.level,
        level_name: document.level_name,
        since: since.map(|at: jiff::Timestamp| Time::from(at)),
        epoch: document.epoch,
        reason: document.reason,
        features: document.features,
    })
}
