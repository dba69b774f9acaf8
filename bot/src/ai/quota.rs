//! What a key may ask for within an hour and within a month, both by UTC.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How long the hourly window is; it turns at multiples of that since the Unix epoch. Anything but an hour is to see
/// within a minute what an hour brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hour(i64);

impl Hour {
    /// At least a second.
    pub(crate) fn lasting(time: Duration) -> Self {
        Self(i64::try_from(time.as_millis()).map_or(i64::MAX, |ms| ms.max(1000)))
    }

    /// Milliseconds.
    pub(crate) fn ms(self) -> i64 {
        self.0
    }
}

impl Default for Hour {
    fn default() -> Self {
        Self::lasting(Duration::from_hours(1))
    }
}

/// The spans of time that quotas are given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    Hour,
    Month,
}

impl Window {
    pub(crate) const ALL: [Self; 2] = [Self::Hour, Self::Month];

    /// As metrics and the store name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Month => "month",
        }
    }

    /// When the window that holds `now` began, in Unix milliseconds.
    pub(crate) fn start(self, now: i64, hour: Hour) -> i64 {
        match self {
            Self::Hour => now - now.rem_euclid(hour.0),
            Self::Month => month(now, false),
        }
    }

    /// When it turns.
    pub(crate) fn end(self, now: i64, hour: Hour) -> i64 {
        match self {
            Self::Hour => self.start(now, hour).saturating_add(hour.0),
            Self::Month => month(now, true),
        }
    }
}

/// Midnight of the first of this month, or of the next.
fn month(now: i64, next: bool) -> i64 {
    let turn = || -> Result<i64, jiff::Error> {
        let date = Timestamp::from_millisecond(now)?
            .to_zoned(TimeZone::UTC)
            .date();
        let date = if next {
            date.last_of_month().tomorrow()?
        } else {
            date.first_of_month()
        };
        let midnight = date.to_zoned(TimeZone::UTC)?;
        Ok(midnight.timestamp().as_millisecond())
    };
    // fails only for years that no clock shows
    turn().unwrap_or(now)
}

/// At most so much within one window; `None` is as much as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) requests: Option<u64>,
    pub(crate) tokens: Option<u64>,
}

/// What one key may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) hour: Bound,
    pub(crate) month: Bound,
    /// How long `hour` is.
    pub(crate) length: Hour,
}

impl Quota {
    pub(crate) fn of(self, window: Window) -> Bound {
        match window {
            Window::Hour => self.hour,
            Window::Month => self.month,
        }
    }
}

/// What was asked for within one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) requests: u64,
    pub(crate) tokens: u64,
}

/// The same for both windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) hour: Used,
    pub(crate) month: Used,
}

impl Usage {
    /// One more request.
    pub(crate) fn add(&mut self, tokens: u64) {
        for used in [&mut self.hour, &mut self.month] {
            used.requests += 1;
            used.tokens += tokens;
        }
    }

    /// One less, since it was not sent.
    pub(crate) fn take_back(&mut self, tokens: u64) {
        for used in [&mut self.hour, &mut self.month] {
            used.requests = used.requests.saturating_sub(1);
            used.tokens = used.tokens.saturating_sub(tokens);
        }
    }

    pub(crate) fn of(self, window: Window) -> Used {
        match window {
            Window::Hour => self.hour,
            Window::Month => self.month,
        }
    }
}

/// What is left of a bound.
pub(crate) fn left(most: Option<u64>, used: u64) -> Option<u64> {
    most.map(|most| most.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn windows_turn_by_utc() {
        for (now, window, start, end) in [
            (
                "2026-11-21T09:59:59.999Z",
                Window::Hour,
                "2026-11-21T09:00:00Z",
                "2026-11-21T10:00:00Z",
            ),
            (
                "2026-11-21T10:00:00Z",
                Window::Hour,
                "2026-11-21T10:00:00Z",
                "2026-11-21T11:00:00Z",
            ),
            (
                "2026-12-31T23:59:59Z",
                Window::Month,
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                "2028-02-29T12:00:00Z",
                Window::Month,
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
        ] {
            let hour = Hour::default();
            assert_eq!(window.start(ms(now), hour), ms(start), "{now}");
            assert_eq!(window.end(ms(now), hour), ms(end), "{now}");
        }
    }

    #[test]
    fn an_hour_may_be_short() {
        let hour = Hour::lasting(Duration::from_secs(40));
        let (start, end) = (ms("2026-11-21T10:00:00Z"), ms("2026-11-21T10:00:40Z"));
        assert_eq!(Window::Hour.start(end - 1, hour), start);
        assert_eq!(Window::Hour.end(end - 1, hour), end);
        assert_eq!(Window::Hour.start(end, hour), end);
        assert_eq!(Window::Month.end(end, hour), ms("2026-12-01T00:00:00Z"));
    }
}
