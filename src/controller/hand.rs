//! A person's hand on the wheel: the pin annotations.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{PIN, PIN_REASON, PIN_UNTIL};
use crate::policy::{LevelNumber, Policy};
use crate::time::Time;

/// A pin as its annotations say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The level to apply.
    pub level: LevelNumber,
    /// When it ends.
    pub until: Time,
    /// Why, as the person wrote it; empty where they did not.
    pub reason: String,
}

/// Reads the annotations: no pin, a pin (which may be over already), or a sentence that says what is
/// wrong with it and what to write.
pub fn pin(policy: &Policy, annotations: &BTreeMap<String, String>) -> Result<Option<Pin>, String> {
    let Some(name) = annotations.get(PIN) else {
        return Ok(None);
    };
    let Some(level) = policy.level_named(name) else {
        let names: Vec<_> = (0..=policy.top())
            .map(|level| policy.level_name(level))
            .collect();
        return Err(format!(
            "{PIN}: there is no level {name:?}: write one of {}",
            names.join(", ")
        ));
    };
    let Some(until) = annotations.get(PIN_UNTIL) else {
        return Err(format!(
            "{PIN_UNTIL} is missing: write when the pin ends, such as 2026-01-31T18:00:00Z"
        ));
    };
    let Ok(until) = until.parse::<Timestamp>() else {
        return Err(format!(
            "{PIN_UNTIL}: {until:?} is no RFC 3339 time: write one such as 2026-01-31T18:00:00Z"
        ));
    };
    let reason = annotations.get(PIN_REASON).cloned().unwrap_or_default();
    Ok(Some(Pin {
        level,
        until: Time::from(until),
        reason,
    }))
}

#[cfg(test)]
mod tests;
