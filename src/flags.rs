//! The flags contract: what the operator publishes in one `ConfigMap` and what a bot may rely on.
//!
//! # Guarantees
//!
//! - Equal flags encode to equal bytes, so a writer can tell "nothing changed" by comparing.
//! - The three forms in one `ConfigMap` (a key per feature, [`STATE_KEY`], [`FLAGD_KEY`]) always say the same.
//! - [`Flags::epoch`] grows at each change of content; a reader ignores a lower one than it has seen.
//! - Version 1 only ever gains fields, so a reader must ignore the ones it does not know.

mod content;
mod flagd;
mod state_json;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::{LevelNumber, Policy, State, Tier, Values};
use crate::time::Time;

pub use content::{content_hash, next_epoch, same_content};

/// Key of the complete state as JSON, for bots that speak Brownout.
pub const STATE_KEY: &str = "state.json";
/// Key of the flagd v0 definition, for flagd and every `OpenFeature` SDK.
pub const FLAGD_KEY: &str = "flags.flagd.json";
/// The version of [`STATE_KEY`] that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// Label that says who writes the object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// What [`MANAGED_BY_LABEL`] says on what is ours.
pub const MANAGED_BY: &str = "brownout";
/// Label that says for which policy; its value is the policy's name.
pub const POLICY_LABEL: &str = "brownout.dev/policy";

/// The flags of one bot at one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// The policy they come from, by name.
    pub policy: String,
    /// The level that is applied.
    pub level: LevelNumber,
    /// Its name.
    pub level_name: String,
    /// When it was reached; `None` where no transition has happened yet.
    pub since: Option<Time>,
    /// Grows at each change of content.
    pub epoch: i64,
    /// Why this level, for a person.
    pub reason: String,
    /// Every feature of the policy by name.
    pub features: BTreeMap<String, Flag>,
}

/// One feature at that level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// What it is.
    pub state: State,
    /// What that means to the bot.
    pub value: Value,
    /// How dear it is.
    pub tier: Tier,
}

/// The value of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Of a feature without values of its own.
    Boolean(bool),
    /// One of three integers.
    Integer(i64),
    /// One of three strings.
    Text(String),
}

/// Why a `ConfigMap`'s data are no flags.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is no [`STATE_KEY`].
    #[error("there is no key {STATE_KEY}")]
    Missing,
    /// It is not the JSON it should be.
    #[error("{STATE_KEY} cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of a version that this reader does not know.
    #[error("{STATE_KEY} has version {0}; this reader knows {VERSION}")]
    Version(u64),
    /// `since` is no RFC 3339 time.
    #[error("{STATE_KEY} has a `since` that is no time: {0}")]
    Since(#[from] jiff::Error),
}

impl Flags {
    /// The flags of a policy at a level; a level above the ladder counts as its top.
    pub fn at(
        policy: &Policy,
        level: LevelNumber,
        since: Option<Time>,
        reason: impl Into<String>,
        epoch: i64,
    ) -> Self {
        let level = level.min(policy.top());
        let features = policy.features.iter().enumerate().map(|(i, feature)| {
            let state = feature.values.representable(policy.state(level, i));
            let value = feature.values.value(state);
            let tier = feature.tier;
            (feature.name.clone(), Flag { state, value, tier })
        });
        Self {
            policy: policy.name.clone(),
            level,
            level_name: policy.level_name(level).to_owned(),
            since,
            epoch,
            reason: reason.into(),
            features: features.collect(),
        }
    }

    /// The `ConfigMap`'s `data`. The policy lends the variants that the flagd definition lists; a
    /// flag that the policy does not name keeps the one variant it has.
    pub fn encode(&self, policy: &Policy) -> BTreeMap<String, String> {
        let mut data: BTreeMap<String, String> = self
            .features
            .iter()
            .map(|(name, flag)| (name.clone(), flag.value.to_string()))
            .collect();
        data.insert(STATE_KEY.to_owned(), state_json::write(self));
        data.insert(FLAGD_KEY.to_owned(), flagd::write(self, policy));
        data
    }

    /// Reads [`STATE_KEY`]; the other keys are for others. Unknown fields are ignored, an unknown
    /// version is refused.
    pub fn decode(data: &BTreeMap<String, String>) -> Result<Self, DecodeError> {
        state_json::read(data.get(STATE_KEY).ok_or(DecodeError::Missing)?)
    }
}

impl Values {
    /// The state that these values can express: a boolean knows no Reduced and stays enabled.
    pub fn representable(&self, state: State) -> State {
        match (self, state) {
            (Self::Boolean, State::Reduced) => State::Enabled,
            (_, state) => state,
        }
    }

    /// The value for a state.
    pub fn value(&self, state: State) -> Value {
        match self {
            Self::Boolean => Value::Boolean(state != State::Disabled),
            Self::Integers {
                enabled,
                reduced,
                disabled,
            } => Value::Integer(*pick(state, enabled, reduced, disabled)),
            Self::Strings {
                enabled,
                reduced,
                disabled,
            } => Value::Text(pick(state, enabled, reduced, disabled).clone()),
        }
    }
}

fn pick<'a, T>(state: State, enabled: &'a T, reduced: &'a T, disabled: &'a T) -> &'a T {
    match state {
        State::Enabled => enabled,
        State::Reduced => reduced,
        State::Disabled => disabled,
    }
}

impl fmt::Display for Value {
    /// The plain text of the `ConfigMap`'s key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
