//! How well the server's clock agrees with ours. A tick's time is ours: where we are minutes ahead, the
//! server answers with its last sample and nothing looks wrong.

use std::sync::{Mutex, PoisonError};

use prometheus_http_query::reqwest::header::{DATE, HeaderMap};

use super::super::clock::{Clock, SystemClock};
use crate::time::{Span, Time};

/// The last difference that was seen.
#[derive(Default)]
pub(super) struct Skew(Mutex<Option<Span>>);

impl Skew {
    pub(super) fn note(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(server) = date.and_then(parse) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(server - SystemClock.now());
        }
    }

    pub(super) fn ahead(&self) -> Option<Span> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An HTTP date: the middle of the second that it names.
fn parse(date: &str) -> Option<Time> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()?;
    Some(Time::from(date) + Span::from_millis(500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_the_middle_of_its_second() {
        let date = parse("Sat, 21 Nov 2026 09:50:41 GMT");
        assert_eq!(date, Some(Time::from_millis(1_795_254_641_500)));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn the_difference_is_kept() {
        let skew = Skew::default();
        skew.note(&HeaderMap::new());
        assert_eq!(skew.ahead(), None);
        let mut headers = HeaderMap::new();
        headers.insert(
            DATE,
            "Sat, 21 Nov 2015 09:50:41 GMT".parse().expect("a value"),
        );
        skew.note(&headers);
        assert!(
            skew.ahead()
                .is_some_and(|ahead| ahead < Span::from_secs(-3600))
        );
    }
}
