//! The API server's client, with bounds on how long it waits for anything.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Response};
use kube::client::{ClientBuilder, retry::RetryPolicy};
use kube::{Client, Config};
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::util::MapResponseLayer;

/// A connection on which nothing has come for so long is given up: longer than a watch is silent, which the
/// API server ends by itself before that. `kube` would wait for ever, also for a list.
const SILENCE: Duration = Duration::from_secs(20);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// 429, 503 and 504 are asked again a few times, not before the time that the server names. `kube`'s own
/// pauses grow to a quarter of an hour, and a list that failed all through an outage would sleep long after.
const RETRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The longest time that a server may name, in seconds: a proxy that says an hour would blind a watch for it.
const LONGEST_NAMED: u64 = 30;
/// Requests that may wait to be sent.
const WAITING: usize = 1024;

/// A client for a cluster.
pub fn connect(mut config: Config) -> Result<Client> {
    config.default_retry = false;
    config.read_timeout = Some(SILENCE);
    // else the time that a connection lay idle in the pool counts against its next request
    config.reset_reader_on_write = true;
    config.connect_timeout = Some(CONNECT);
    let retries = RetryPolicy::new(FIRST_PAUSE, LONGEST_PAUSE, RETRIES, true)?;
    let layers = ServiceBuilder::new()
        .layer(RetryLayer::new(retries))
        .layer(MapResponseLayer::new(soon))
        .layer(BufferLayer::new(WAITING))
        .into_inner();
    let builder =
        ClientBuilder::try_from(config).context("the cluster's configuration cannot be used")?;
    Ok(builder.with_layer(&layers).build())
}

/// The answer, with no later time to ask again than the longest; a date is taken for that.
fn soon<B>(mut answer: Response<B>) -> Response<B> {
    if let Some(named) = answer.headers_mut().get_mut(RETRY_AFTER) {
        let seconds = named.to_str().ok().and_then(|text| text.parse().ok());
        if seconds.is_none_or(|seconds: u64| seconds > LONGEST_NAMED) {
            *named = HeaderValue::from(LONGEST_NAMED);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_again_when_it_says_but_soon() {
        let named = |text: &str| {
            let answer = Response::builder().header(RETRY_AFTER, text).body(());
            let answer = soon(answer.expect("an answer"));
            answer.headers()[RETRY_AFTER]
                .to_str()
                .expect("text")
                .to_owned()
        };
        let told = [
            "1",
            "30",
            "3600",
            "99999999999999999999",
            "Wed, 21 Oct 2065 07:28:00 GMT",
        ];
        assert_eq!(told.map(named), ["1", "30", "30", "30", "30"]);
        assert!(soon(Response::new(())).headers().is_empty());
    }
}
