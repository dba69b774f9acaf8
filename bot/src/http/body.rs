//! A message's body: JSON that comes in time.

use std::time::Duration;

use axum::Json;
use axum::body::HttpBody;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::MOST_BYTES;
use super::respond::refuse;

/// A body of a few kilobytes is here by then, or nobody means to send it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a request's body says.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        // hyper holds the sender to what is announced here
        if request.body().size_hint().lower() > MOST_BYTES as u64 {
            return Err(refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("a request has at most {MOST_BYTES} bytes"),
            ));
        }
        let json = tokio::time::timeout(PATIENCE, Json::from_request(request, state));
        match json.await {
            Ok(Ok(Json(said))) => Ok(Self(said)),
            Ok(Err(rejection)) => Err(refuse(rejection.status(), rejection.body_text())),
            Err(_late) => Err(refuse(
                StatusCode::REQUEST_TIMEOUT,
                "the message did not arrive in time",
            )),
        }
    }
}
