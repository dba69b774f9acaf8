//! `Retry-After`: how long the callee wants to be left alone.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::fmt::strtime;

/// Seconds, or one of the three forms of an HTTP date; `None` if it is neither. A date that is past is no wait.
pub(super) fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.starts_with(|c: char| c.is_ascii_digit()) {
        return seconds(value);
    }
    let wait = date(value)?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// Some send a fraction, which the standard does not know.
fn seconds(value: &str) -> Option<Duration> {
    let plain = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = value.parse().ok().filter(|_| plain)?;
    // more than there is room for is as long as can be; whoever waits has a bound of their own
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn date(value: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = rfc2822::DateTimeParser::new().parse_timestamp(value) {
        return Some(timestamp);
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| strtime::parse(form, value).ok()?.to_datetime().ok())
        .and_then(|utc| utc.in_tz("UTC").ok())
        .map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_understood() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        let seconds = |s| Some(Duration::from_secs(s));
        let table = [
            ("120", seconds(120)),
            (" 7 ", seconds(7)),
            ("0", seconds(0)),
            ("0.5", Some(Duration::from_millis(500))),
            ("99999999999999999999999", Some(Duration::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", seconds(30)),
            ("Sun Nov  6 08:49:37 1994", seconds(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", seconds(0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", seconds(0)),
            ("Mon, 07 Nov 1994 08:49:07 GMT", seconds(86_400)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("5s", None),
            ("inf", None),
            ("soon", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse(value, now), expected, "{value:?}");
        }
    }
}
