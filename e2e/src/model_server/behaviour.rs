//! How the server behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What becomes of a request whose key is good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// An answer with its usage.
    #[default]
    Answer,
    /// An error with this status.
    Fail(u16),
    /// No answer, ever.
    Hang,
    /// A 200 whose body is no answer.
    Malformed,
    /// A connection that is closed in the middle of the body.
    Torn,
}

/// One server that does one request after the other: under load, latency grows with the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What one request takes.
    pub each: Duration,
    /// Who would wait longer is told to come back (429 with Retry-After).
    pub most_wait: Duration,
}

/// The length of an hour, in seconds; it turns at multiples of that since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour(pub u64);

impl Default for Hour {
    fn default() -> Self {
        Self(3600)
    }
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The answer to what is asked.
    pub mode: Mode,
    /// What every answer takes, whatever the load.
    pub delay: Duration,
    /// Requests that each key has in an hour: beyond them 429 with Retry-After and `insufficient_quota`.
    pub quota_hour: Option<u64>,
    /// How many seconds such an hour has: 3600, but for those who play one.
    pub hour: Hour,
    /// What each key has used of the hour that began then (Unix seconds).
    pub used: BTreeMap<String, (u64, u64)>,
    /// How many requests it takes at a time.
    pub rate: Option<Rate>,
    /// Keys that it does not accept (401).
    pub refused: BTreeSet<String>,
    /// Keys that are too fast at the moment, and for how many seconds (429 with Retry-After).
    pub hurried: BTreeMap<String, u64>,
}

impl Behaviour {
    /// One that answers at once, a number of times per key and hour.
    pub fn with_quota(quota_hour: u64) -> Self {
        Self {
            quota_hour: Some(quota_hour),
            ..Self::default()
        }
    }

    /// Takes one request off a key's hour, or gives the seconds until the next.
    pub(super) fn take(&mut self, key: &str, now: u64) -> Result<(), u64> {
        let Some(quota) = self.quota_hour else {
            return Ok(());
        };
        let length = self.hour.0.max(1);
        let hour = now / length * length;
        let (since, used) = self.used.entry(key.to_owned()).or_insert((hour, 0));
        if *since != hour {
            (*since, *used) = (hour, 0);
        }
        if *used >= quota {
            return Err(hour + length - now);
        }
        *used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_for_a_key_and_an_hour() {
        let mut behaviour = Behaviour::with_quota(1);
        assert_eq!(behaviour.take("a", 7200), Ok(()));
        assert_eq!(behaviour.take("a", 7260), Err(3540));
        assert_eq!(behaviour.take("b", 7260), Ok(()));
        assert_eq!(behaviour.take("a", 10_800), Ok(()));
    }

    #[test]
    fn an_hour_may_be_played_in_a_minute() {
        let mut behaviour = Behaviour::with_quota(1);
        behaviour.hour = Hour(60);
        assert_eq!(behaviour.take("a", 7200), Ok(()));
        assert_eq!(behaviour.take("a", 7259), Err(1));
        assert_eq!(behaviour.take("a", 7260), Ok(()));
    }
}
