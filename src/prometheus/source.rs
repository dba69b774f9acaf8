//! Where and how to ask: what a `MetricsSource` says, understood.

use std::fmt;

use crate::time::Span;

/// A Prometheus, and what to send along. What it takes to be let in is its [`Access`](super::access::Access),
/// which changes without it.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The `MetricsSource`'s name.
    pub name: String,
    /// The base URL: `http` or `https`, with or without a path in front of `/api/v1`.
    pub url: String,
    /// The longest that an answer may take, its body included.
    pub timeout: Span,
    /// Queries are evaluated this long before the tick, for sources whose scrapes take their time.
    pub evaluation_delay: Span,
    /// The most queries that are under way at once.
    pub max_concurrent_queries: usize,
    /// The label that holds each namespace to its own series: queries are to be bound to it.
    pub tenancy: Option<String>,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
    /// Sent as form fields with each request.
    pub query_params: Vec<(String, String)>,
}

impl Source {
    /// A source with the defaults.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            timeout: Span::from_secs(5),
            evaluation_delay: Span::ZERO,
            max_concurrent_queries: 8,
            tenancy: None,
            headers: Vec::new(),
            query_params: Vec::new(),
        }
    }
}

impl fmt::Debug for Source {
    /// Headers by name only: their values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .field("evaluation_delay", &self.evaluation_delay)
            .field("max_concurrent_queries", &self.max_concurrent_queries)
            .field("tenancy", &self.tenancy)
            .field("headers", &headers)
            .field("query_params", &self.query_params)
            .finish()
    }
}
