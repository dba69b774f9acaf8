//! Times in status: RFC 3339 with milliseconds, since ticks need not fall on whole seconds.

use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Time;

/// A point in time in status, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusTime(Timestamp);

impl StatusTime {
    /// The calendar time.
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for StatusTime {
    /// Anything finer than a millisecond is cut.
    fn from(at: Timestamp) -> Self {
        Time::from(at).into()
    }
}

impl From<Time> for StatusTime {
    fn from(at: Time) -> Self {
        Self(at.to_timestamp())
    }
}

impl From<StatusTime> for Time {
    fn from(at: StatusTime) -> Self {
        at.0.into()
    }
}

impl fmt::Display for StatusTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for StatusTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Timestamp::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for StatusTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_and_whole_seconds_stay_short() {
        for text in ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00.25Z"] {
            let json = format!("\"{text}\"");
            let at: StatusTime = serde_json::from_str(&json).expect("RFC 3339");
            assert_eq!(serde_json::to_string(&at).expect("text"), json);
        }
        let fine: StatusTime =
            serde_json::from_str("\"2026-11-20T10:00:00.123456Z\"").expect("RFC 3339");
        assert_eq!(fine.to_string(), "2026-11-20T10:00:00.123Z");
    }
}
