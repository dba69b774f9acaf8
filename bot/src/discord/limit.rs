//! What an answer says of Discord's rate limits.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use twilight_http_ratelimiting::RateLimitHeaders;

/// No answer may put a route away for longer; what is larger does not even fit into a point in time.
const LONGEST: Duration = Duration::from_hours(24);

/// What the answer says of its route's limit. Its scope is said with a 429 only.
pub(super) fn limit(headers: &HeaderMap) -> Option<RateLimitHeaders> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if text(RateLimitHeaders::SCOPE) == Some("global") {
        return None;
    }
    let refused = text(RateLimitHeaders::SCOPE).is_some();
    let wait = if refused {
        // Discord rounds up here, and is the surer for it
        seconds(headers, RETRY_AFTER.as_str())
    } else {
        None
    };
    let reset = seconds(headers, RateLimitHeaders::RESET_AFTER);
    let remaining = text(RateLimitHeaders::REMAINING).and_then(|n| n.parse().ok());
    Some(RateLimitHeaders {
        bucket: headers.get(RateLimitHeaders::BUCKET)?.as_bytes().to_vec(),
        limit: text(RateLimitHeaders::LIMIT)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0),
        remaining: if refused { 0 } else { remaining? },
        reset_at: std::time::Instant::now() + wait.max(reset)?,
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
        let limit = limit(&headers).unwrap();
        assert_eq!((limit.limit, limit.remaining), (5, 0));
        let left = limit.reset_at - std::time::Instant::now();
        assert!(left > Duration::from_secs(1) && left <= Duration::from_millis(1500));
    }

    #[test]
    fn a_wait_beyond_all_bounds_is_a_long_one() {
        let headers = headers(&[
            ("x-ratelimit-bucket", "b"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", "1e19"),
        ]);
        let left = limit(&headers).unwrap().reset_at - std::time::Instant::now();
        assert!(left <= LONGEST);
    }
}
