//! What can go wrong between us and the API server, sorted by what to do about it.

use std::future::Future;

use super::apply::DEADLINE;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 404.
    #[error("not found")]
    NotFound,
    /// 409: the object is no longer what it was, or exists already. Read again and decide anew.
    #[error("the object has changed meanwhile")]
    Changed,
    /// 403 that a right would cure.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// 403 because the namespace is being deleted.
    #[error("the namespace is being deleted")]
    NamespaceTerminating,
    /// 422: the object as such is refused.
    #[error("refused: {0}")]
    Invalid(String),
    /// No answer within the deadline. The write may or may not have happened.
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Deadline,
    /// The process is about to end.
    #[error("the operator is stopping")]
    Stopping,
    /// Anything else: tried again.
    #[error("{}", said(.0))]
    Other(Box<kube::Error>),
}

/// What the server said: as an error, `kube` shows the whole of its answer.
fn said(err: &kube::Error) -> String {
    match err {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => other.to_string(),
    }
}

impl ApiError {
    /// All words of [`ApiError::reason`].
    pub const REASONS: [&str; 8] = [
        "NotFound",
        "Changed",
        "Forbidden",
        "NamespaceTerminating",
        "Invalid",
        "Deadline",
        "Stopping",
        "Other",
    ];

    /// A bounded word, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "NotFound",
            Self::Changed => "Changed",
            Self::Forbidden(_) => "Forbidden",
            Self::NamespaceTerminating => "NamespaceTerminating",
            Self::Invalid(_) => "Invalid",
            Self::Deadline => "Deadline",
            Self::Stopping => "Stopping",
            Self::Other(_) => "Other",
        }
    }
}

impl From<kube::Error> for ApiError {
    fn from(err: kube::Error) -> Self {
        let kube::Error::Api(status) = &err else {
            return Self::Other(Box::new(err));
        };
        let terminating = || {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            causes
                .into_iter()
                .any(|cause| cause.reason == "NamespaceTerminating")
        };
        match status.code {
            404 => Self::NotFound,
            409 => Self::Changed,
            403 if terminating() => Self::NamespaceTerminating,
            403 => Self::Forbidden(status.message.clone()),
            422 => Self::Invalid(status.message.clone()),
            _ => Self::Other(Box::new(err)),
        }
    }
}

/// Makes one request, with a deadline: the client's own retries can take minutes.
pub async fn call<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ApiError> {
    match tokio::time::timeout(DEADLINE, request).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(_) => Err(ApiError::Deadline),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_answer_is_told_in_the_servers_words() {
        let status =
            Status::failure("failed calling webhook \"w\"", "InternalError").with_code(500);
        let err = ApiError::from(kube::Error::Api(status.boxed()));
        assert_eq!(err.to_string(), "failed calling webhook \"w\" (500)");
    }
}
