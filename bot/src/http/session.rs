//! Who is who on the page, without a login: a secret in a cookie.
//!
//! What the rest of the bot sees, and may store or log, is a digest of that secret: whoever reads it
//! there cannot take the session over.

use std::fmt::Write;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::cookie;

const COOKIE: &str = "chatbotler_session";
/// Anew with each visit: long enough for a reminder to find the browser that it was set in.
const AGE: Duration = Duration::from_hours(30 * 24);
/// Hexadecimal digits of the secret and of the id: 128 bits.
const DIGITS: usize = 32;

/// A browser.
#[derive(Clone)]
pub(super) struct Session {
    /// As the rest of the bot knows it.
    pub(super) id: String,
    secret: String,
}

impl Session {
    /// Of the request's cookie, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let known = cookie::get(headers, COOKIE).filter(|value| is_secret(value));
        let secret = known.map_or_else(draw, str::to_owned);
        let id = fingerprint(&format!("session {secret}"));
        Self { id, secret }
    }

    /// The id of a message that the page has numbered so: the same when it is sent again, and without
    /// the secret nothing in it tells the session, since it is logged.
    pub(super) fn message_id(&self, number: &str) -> String {
        fingerprint(&format!("message {} {number}", self.secret))
    }

    /// Has the browser keep it.
    pub(super) fn keep(&self, https: bool, mut response: Response) -> Response {
        cookie::set(&mut response, COOKIE, &self.secret, AGE, https);
        response
    }
}

fn is_secret(value: &str) -> bool {
    value.len() == DIGITS
        && value
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn fingerprint(text: &str) -> String {
    let mut digits = hex(digest(&SHA256, text.as_bytes()).as_ref());
    digits.truncate(DIGITS);
    digits
}

fn draw() -> String {
    let mut bytes = [0; DIGITS / 2];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("an operating system has random numbers for whoever asks");
    hex(&bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // to a String, which never fails
        text
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn of(cookie: &str) -> Session {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::try_from(cookie).unwrap());
        Session::of(&headers)
    }

    #[test]
    fn a_session_is_known_again_and_its_id_does_not_tell_the_cookie() {
        let first = Session::of(&HeaderMap::new());
        let again = of(&format!("{COOKIE}={}", first.secret));
        assert_eq!(again.id, first.id);
        assert_ne!(first.id, first.secret);
        assert_ne!(Session::of(&HeaderMap::new()).id, first.id);
    }

    #[test]
    fn a_message_sent_again_has_its_id_again_and_tells_no_session() {
        let (one, other) = (
            Session::of(&HeaderMap::new()),
            Session::of(&HeaderMap::new()),
        );
        let id = one.message_id("7");
        assert_eq!(one.message_id("7"), id);
        assert_ne!(one.message_id("8"), id);
        assert_ne!(other.message_id("7"), id);
        assert!(!id.contains(&one.id) && !id.contains(&one.secret));
    }

    #[test]
    fn what_was_not_drawn_here_is_no_session() {
        for wrong in ["", "x", &"g".repeat(DIGITS), &"a".repeat(DIGITS + 1)] {
            assert_ne!(of(&format!("{COOKIE}={wrong}")).secret, wrong);
        }
    }
}
