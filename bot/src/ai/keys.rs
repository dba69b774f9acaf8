//! Which key is used next: the first that is not at rest.
//!
//! A key rests when its quota is out, until the window turns; when the API limits it, until the API says;
//! when the API refuses it, for a pause that grows each time. Since the search always begins with the first
//! key, whoever comes back is used at once, the primary before all.

use std::time::Duration;

use super::quota::{Hour, Window};
use crate::store::millis;

/// The first pause of a key that the API refuses.
const REFUSED: Duration = Duration::from_mins(1);
/// The longest; somebody may have put the key right meanwhile.
const REFUSED_MOST: Duration = Duration::from_hours(1);
/// Where the API limits a key and does not say for how long.
const LIMITED: Duration = Duration::from_secs(5);
/// No answer of an API may put a key away for longer.
const LIMITED_MOST: Duration = Duration::from_hours(24);

/// A clock is put right by less than this all the time. A rest that begins later than that from now was learned by a
/// clock that was wrong, and lasts until nobody knows when.
const CLOCK: i64 = 60_000;

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyState {
    Ready,
    /// Its quota is out, by our count or by the API's.
    Spent,
    /// The API wants fewer requests for now.
    Limited,
    /// The API does not accept it.
    Refused,
}

impl KeyState {
    pub(crate) const ALL: [Self; 4] = [Self::Ready, Self::Spent, Self::Limited, Self::Refused];

    /// As metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Spent => "spent",
            Self::Limited => "limited",
            Self::Refused => "refused",
        }
    }
}

/// What was learned about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The API answered.
    Served,
    /// By our count, nothing is left of its quota for this window.
    Spent(Window),
    /// By the API's count, nothing is left of it.
    Exhausted,
    /// Too many requests for now, and how long that lasts where the API said.
    Limited(Option<Duration>),
    /// The API does not accept the key.
    Refused,
    /// The API answered, and whether that is about the key is not known.
    Unclear,
}

/// How all keys stand, in the order of preference. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    standings: Vec<Standing>,
    /// How long the hour is that quotas go by.
    hour: Hour,
}

#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    rest: Option<Rest>,
    /// One after the other.
    refusals: u32,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    since: i64,
    until: i64,
    why: KeyState,
    /// By our own count, of which something may come back.
    counted: bool,
}

impl Keys {
    pub(crate) fn new(count: usize, hour: Hour) -> Self {
        Self {
            standings: vec![Standing::default(); count],
            hour,
        }
    }

    /// The first key that is ready, of those from `from` on.
    pub(crate) fn next(&self, from: usize, now: i64) -> Option<usize> {
        (from..self.standings.len()).find(|&key| self.state(key, now) == KeyState::Ready)
    }

    pub(crate) fn state(&self, key: usize, now: i64) -> KeyState {
        self.rest(key, now).map_or(KeyState::Ready, |rest| rest.why)
    }

    /// When a key's rest is over; none where it is ready.
    pub(crate) fn rests_until(&self, key: usize, now: i64) -> Option<i64> {
        self.rest(key, now).map(|rest| rest.until)
    }

    fn rest(&self, key: usize, now: i64) -> Option<Rest> {
        let rest = self.standings[key].rest;
        rest.filter(|rest| (rest.since - CLOCK..rest.until).contains(&now))
    }

    /// Takes in what was learned about a key.
    pub(crate) fn learn(&mut self, key: usize, verdict: Verdict, now: i64) {
        let state = self.state(key, now);
        let rest = self.rest(key, now);
        let standing = &mut self.standings[key];
        let (until, why) = match verdict {
            Verdict::Served => {
                standing.refusals = 0;
                return;
            }
            Verdict::Unclear => return,
            Verdict::Spent(window) => (window.end(now, self.hour), KeyState::Spent),
            Verdict::Exhausted => (Window::Hour.end(now, self.hour), KeyState::Spent),
            Verdict::Limited(pause) => {
                let pause = pause.unwrap_or(LIMITED).min(LIMITED_MOST);
                (now + millis(pause), KeyState::Limited)
            }
            // of several requests under way, the first refusal says it all
            Verdict::Refused if state == KeyState::Refused => return,
            Verdict::Refused => {
                let times = 1_u32 << standing.refusals.min(16);
                standing.refusals += 1;
                let pause = REFUSED.saturating_mul(times).min(REFUSED_MOST);
                (now + millis(pause), KeyState::Refused)
            }
        };
        let counted = matches!(verdict, Verdict::Spent(_));
        if let Some(same) = standing.rest.as_mut().filter(|rest| rest.until == until) {
            same.counted &= counted; // what the API says itself, no count of ours takes back
        }
        // what is learned late never shortens a rest
        if rest.is_none_or(|rest| rest.until < until) {
            standing.rest = Some(Rest {
                since: now,
                until,
                why,
                counted,
            });
        }
    }

    /// A request with this key was counted and never sent: a quota that was out by our count may have room again.
    pub(crate) fn give_back(&mut self, key: usize) {
        let rest = &mut self.standings[key].rest;
        *rest = rest.filter(|rest| !rest.counted);
    }
}

#[cfg(test)]
mod tests;
