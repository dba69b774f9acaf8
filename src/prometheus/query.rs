//! A query that may be sent.

use std::fmt;
use std::sync::Arc;

/// `PromQL` that was parsed, checked and printed. Cheap to clone, and equal where the text is equal,
/// so that policies that ask the same share the answer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Query(Arc<str>);

impl Query {
    /// From a checked expression's print.
    pub(super) fn printed(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// From text that nobody checked: for tests and for queries of our own.
    pub fn unchecked(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The `PromQL`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
