//! What came of a replay, as `replay -o json` prints it.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::decide::{Reason, Transition};
use crate::policy::{LevelNumber, Policy};
use crate::time::{Span, Time};

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The first tick, RFC 3339 in JSON.
    #[serde(serialize_with = "rfc3339")]
    pub from: Time,
    /// The last tick, RFC 3339 in JSON.
    #[serde(serialize_with = "rfc3339")]
    pub to: Time,
    /// How many ticks were decided.
    pub evaluations: u64,
    /// Every change of level, in order.
    pub transitions: Vec<ReportedTransition>,
    /// How long each level stood.
    pub seconds_per_level: SecondsPerLevel,
    /// How many escalations were flaps.
    pub flaps: u64,
}

/// One change of level.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ReportedTransition {
    /// The tick, RFC 3339 in JSON.
    #[serde(serialize_with = "rfc3339")]
    pub at: Time,
    /// The level before.
    pub from: LevelNumber,
    /// The level after.
    pub to: LevelNumber,
    /// Escalated, Blind or Recovered.
    pub reason: Reason,
    /// Escalated: the signal of the first firing comparison of the rung reached; Blind: the first
    /// blind signal that names no feature; Recovered: none.
    pub signal: Option<String>,
    /// Escalated: that signal's reading, in the shortest decimal that reads back as itself.
    pub value: Option<String>,
    /// Escalated: the threshold as written.
    pub threshold: Option<String>,
}

/// How long each level stood: names and times in the ladder's order, Normal first. In JSON an
/// object of seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondsPerLevel(pub Vec<(String, Span)>);

impl ReportedTransition {
    /// A transition of a policy, with its indices as names.
    pub fn of(policy: &Policy, at: Time, transition: &Transition) -> Self {
        let cause = transition.cause;
        let comparison = cause.and_then(|c| policy.comparison(c.level, c.comparison));
        let signal = transition.signal.and_then(|s| policy.signals.get(s));
        Self {
            at,
            from: transition.from,
            to: transition.to,
            reason: transition.reason,
            signal: signal.map(|signal| signal.name.clone()),
            value: cause.map(|cause| cause.value.to_string()),
            threshold: comparison.map(|c| c.threshold_text.clone()),
        }
    }
}

impl Serialize for SecondsPerLevel {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.0.len()))?;
        for (name, span) in &self.0 {
            if span.as_millis() % 1000 == 0 {
                map.serialize_entry(name, &(span.as_millis() / 1000))?;
            } else {
                map.serialize_entry(name, &span.as_secs_f64())?;
            }
        }
        map.end()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature serde calls
fn rfc3339<S: Serializer>(time: &Time, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(time)
}
