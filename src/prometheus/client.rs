//! One request to one source.

use super::source::Source;
use thiserror::Error;

/// A source that cannot be asked at all.
#[derive(Debug, Error)]
pub enum BadSource {
    /// The URL is none, or no `http` one.
    #[error("url {url:?} cannot be used: {why}")]
    Url {
        /// As it was written.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A header's name or value cannot be sent.
    #[error("header {0:?} cannot be sent")]
    Header(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
}

/// A source that can be asked.
pub struct Client {
    source: Source,
}
