//! A request that came to nothing, and why.

use prometheus_http_query::reqwest;

/// A request without an answer.
pub(super) struct NotSent {
    /// What went wrong.
    pub cause: String,
    /// There was a connection.
    pub connected: bool,
}

impl NotSent {
    pub fn because(error: &(dyn std::error::Error + 'static)) -> Self {
        let http = error.downcast_ref::<reqwest::Error>();
        let source = error
            .source()
            .and_then(|e| e.downcast_ref::<reqwest::Error>());
        Self {
            cause: root_cause(error),
            connected: http.or(source).is_some_and(|e| !e.is_connect()),
        }
    }
}

/// The innermost cause: what went wrong, without the URL, which may tell more than it should.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
