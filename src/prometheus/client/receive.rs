//! Reading a body, but never more of it than is worth reading.

use prometheus_http_query::reqwest::Response;
use prometheus_http_query::reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use tokio::time::Instant;

use super::super::answer::{Answer, Raw};
use super::Client;
use super::not_sent::root_cause;
use crate::decide::Unknown;

/// How much of an error page is read, to find a Prometheus error in it.
const ERROR_BYTES: usize = 64 << 10;

/// An answer that came whole.
pub(super) struct Received {
    status: u16,
    content_type: Option<String>,
    body: Vec<u8>,
    began: Option<Instant>,
}

impl Received {
    pub(super) fn raw(&self) -> Raw<'_> {
        Raw {
            status: self.status,
            content_type: self.content_type.as_deref(),
            body: &self.body,
        }
    }

    pub(super) fn since(mut self, at: Instant) -> Self {
        self.began = Some(at);
        self
    }

    /// Counts what was made of it.
    pub(super) fn log(&self, answer: Answer, client: &Client) -> Answer {
        if let Some(began) = self.began {
            client.count(&answer, began);
        }
        answer
    }
}

/// Reads an answer.
///
/// # Errors
///
/// The reading of an answer that ends early, is too large, or is compressed though nobody asked.
pub(super) async fn receive(mut response: Response, max_bytes: usize) -> Result<Received, Answer> {
    let status = response.status();
    let header = |name: HeaderName| {
        let value = response.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let encoding = header(CONTENT_ENCODING).unwrap_or_default();
    let mut received = Received {
        status: status.as_u16(),
        content_type: header(CONTENT_TYPE),
        body: Vec::new(),
        began: None,
    };
    let plain = encoding.is_empty() || encoding.eq_ignore_ascii_case("identity");
    if !plain && status.is_success() {
        let why = format!("content encoding {encoding:?}, which was not asked for");
        return Err(Answer::unknown(Unknown::Malformed, &why));
    }
    let json = received
        .content_type
        .as_deref()
        .unwrap_or_default()
        .contains("json");
    if !json || !plain {
        // the status and the content type decide already
        return Ok(received);
    }
    let limit = if status.is_success() {
        max_bytes
    } else {
        ERROR_BYTES
    };
    let too_large = || Answer::unknown(Unknown::TooLarge, &format!("more than {limit} bytes"));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if received.body.len() + chunk.len() <= limit => {
                received.body.extend_from_slice(&chunk);
            }
            Ok(Some(_)) if status.is_success() => return Err(too_large()),
            Ok(_) => return Ok(received),
            Err(error) => {
                return Err(Answer::unknown(Unknown::Transport, &root_cause(&error)));
            }
        }
    }
}
