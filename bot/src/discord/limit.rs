//! What an answer says of Discord's rate limits.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use twilight_http_ratelimiting::RateLimitHeaders;

/// No answer may put a route away for longer; what is larger does not even fit into a point in time.
const LONGEST: Duration = Duration::from_hours(24);

/// What has said 429 is left alone for so long at least, whatever it says of the time: who would come back at
/// once, each time, is what Discord bans.
pub(super) const LEAST: Duration = Duration::from_millis(500);

/// What the answer, a 429 (`refused`) or any other, says of its route's limit.
pub(super) fn limit(headers: &HeaderMap, refused: bool) -> Option<RateLimitHeaders> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if text(RateLimitHeaders::SCOPE) == Some("global") {
        return None;
    }
    let reset = seconds(headers, RateLimitHeaders::RESET_AFTER);
    let wait = if refused {
        // Discord rounds up there, and is the surer for it
        let wait = seconds(headers, RETRY_AFTER.as_str()).max(reset);
        wait.unwrap_or_default().max(LEAST)
    } else {
        reset?
    };
    let remaining = text(RateLimitHeaders::REMAINING).and_then(|n| n.parse().ok());
    Some(RateLimitHeaders {
        bucket: headers.get(RateLimitHeaders::BUCKET)?.as_bytes().to_vec(),
        limit: text(RateLimitHeaders::LIMIT)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0),
        remaining: if refused { 0 } else { remaining? },
        reset_at: std::time::Instant::now() + wait,
    })
}

pub(super) fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let seconds: f64 = headers.get(name)?.to_str().ok()?.parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    Some(wait.min(LONGEST))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_bucket_is_read_from_every_answer() {
        let headers = headers(&[
            ("x-ratelimit-bucket", "b"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", "1.5"),
        ]);
        let begin = std::time::Instant::now();
        let limit = limit(&headers, false).unwrap();
        assert_eq!((limit.limit, limit.remaining), (5, 0));
        let left = limit.reset_at - std::time::Instant::now();
        assert!(limit.reset_at > begin + Duration::from_secs(1));
        assert!(left <= Duration::from_millis(1500));
    }

    #[test]
    fn a_429_is_left_alone_for_a_while_whatever_it_says() {
        for wait in [None, Some("0"), Some("soon"), Some("-3"), Some("0.001")] {
            let mut headers =
                headers(&[("x-ratelimit-bucket", "b"), ("x-ratelimit-remaining", "3")]);
            if let Some(wait) = wait {
                headers.insert(RETRY_AFTER, wait.parse().unwrap());
            }
            let begin = std::time::Instant::now();
            let limit = limit(&headers, true).unwrap();
            let left = limit.reset_at - std::time::Instant::now();
            assert_eq!(limit.remaining, 0, "{wait:?}");
            let whole = limit.reset_at - begin;
            assert!(whole > LEAST / 2 && left <= LEAST, "{wait:?}: {left:?}");
        }
    }

    #[test]
    fn a_wait_beyond_all_bounds_is_a_long_one() {
        let headers = headers(&[
            ("x-ratelimit-bucket", "b"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", "1e19"),
        ]);
        let left = limit(&headers, false).unwrap().reset_at - std::time::Instant::now();
        assert!(left <= LONGEST);
    }
}
