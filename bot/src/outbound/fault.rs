//! What may go wrong with a call: what the callee did, and what the caller is told.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// What an attempt came to, if to nothing good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// How long the callee asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Whether it is certain that nothing of the request has left: it cost the caller nothing.
    pub(crate) unsent: bool,
    /// For the log: no secret, nobody's text.
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The callee failed and may do better soon: 5xx, a reset, a timeout. Only this speaks against its health.
    Transient,
    /// It wants less from us: 429. All calls wait for as long as it asks. Who has several keys has
    /// several limits, hence a `Dependency` per key, or calls the end of one key's quota `Refused`.
    Limited,
    /// It answered, and the request was no good: any other 4xx. To ask again would not help.
    Refused,
    /// The caller had nothing to ask it with, such as a key that is not at rest. Of its health this says
    /// nothing, and to try again would not help.
    Unasked,
}

impl Fault {
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Transient, message)
    }

    pub(crate) fn limited(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Limited, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Refused, message)
    }

    pub(crate) fn unasked(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Unasked, message)
    }

    /// The same, with the callee's wish to be left alone for so long.
    #[must_use]
    pub(crate) fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same, with the certainty that nothing of the request has left.
    #[must_use]
    pub(super) fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// Whether another try may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.kind, FaultKind::Transient | FaultKind::Limited)
    }

    fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            retry_after: None,
            unsent: false,
            message: message.into(),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// Not asked: it has failed too often of late.
    #[error("the circuit breaker is open for another {retry_in:?}")]
    Open { retry_in: Duration },
    /// Not asked: too many calls are under way.
    #[error("too many calls are under way")]
    Busy,
    /// The callee's limit, or ours towards it, leaves no room before the deadline.
    #[error("the rate limit leaves no room for another {retry_in:?}")]
    Limited { retry_in: Duration },
    /// The caller's time ran out.
    #[error("no answer before the deadline")]
    Deadline,
    #[error(transparent)]
    Fault(#[from] Fault),
}
