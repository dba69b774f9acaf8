//! What time it is. The only clock of this module.

use std::time::SystemTime;

use crate::time::Time;

/// Tells the time of day, so that a test can tell another one.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}
