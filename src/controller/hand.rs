//! A person's hand on the wheel: the pin annotations.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::{PIN, PIN_REASON, PIN_UNTIL, conditions};
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

/// A pin that does not hold: a reason of the condition Pinned, and a sentence that stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoHold {
    /// The reason.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
    /// The pin, where there was nothing wrong with it until its time was over.
    pub over: Option<Pin>,
}

impl Pin {
    /// What is pinned, until when and why. `maxLevel` holds for a pin too: then what is applied is said.
    pub fn sentence(&self, policy: &Policy) -> String {
        let pinned = policy.level_name(self.level);
        let capped = match policy.max_level {
            Some(max) if max < self.level => {
                format!(
                    " (maxLevel holds it at {}, which is applied)",
                    policy.level_name(max)
                )
            }
            _ => String::new(),
        };
        let why = match self.reason.as_str() {
            "" => String::new(),
            why => format!(": {why}"),
        };
        format!("pinned to {pinned}{capped} until {}{why}", self.until)
    }

    /// That its time is over, and what it was.
    pub fn over(&self, policy: &Policy) -> String {
        let why = match self.reason.as_str() {
            "" => String::new(),
            why => format!(" ({why})"),
        };
        let level = policy.level_name(self.level);
        format!("the pin to {level} until {}{why} is over", self.until)
    }
}

/// The pin that holds now, or why there is none although there are annotations of one.
pub fn holds(
    policy: &Policy,
    annotations: &BTreeMap<String, String>,
    now: Time,
) -> Result<Option<Pin>, NoHold> {
    match pin(policy, annotations) {
        Ok(Some(pin)) if pin.until <= now => Err(NoHold {
            reason: conditions::PIN_OVER,
            message: format!(
                "{PIN_UNTIL}: {} is over: write a later time, in UTC or with its offset, or take the \
                 annotations out",
                pin.until
            ),
            over: Some(pin),
        }),
        Ok(pin) => Ok(pin),
        Err(message) => Err(NoHold {
            reason: conditions::PIN_INVALID,
            message,
            over: None,
        }),
    }
}

/// Reads the annotations: no pin, a pin (which may be over already), or a sentence that says what is
/// wrong with it and what to write.
fn pin(policy: &Policy, annotations: &BTreeMap<String, String>) -> Result<Option<Pin>, String> {
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
