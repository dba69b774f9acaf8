//! The API server's client, with bounds on how long it waits for anything.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::client::{ClientBuilder, retry::RetryPolicy};
use kube::{Client, Config};
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

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
/// Requests that may wait to be sent.
const WAITING: usize = 1024;

/// A client for a cluster.
pub fn connect(mut config: Config) -> Result<Client> {
    config.default_retry = false;
    config.read_timeout = Some(SILENCE);
    config.connect_timeout = Some(CONNECT);
    let retries = RetryPolicy::new(FIRST_PAUSE, LONGEST_PAUSE, RETRIES, true)?;
    let layers = ServiceBuilder::new()
        .layer(RetryLayer::new(retries))
        .layer(BufferLayer::new(WAITING))
        .into_inner();
    let builder =
        ClientBuilder::try_from(config).context("the cluster's configuration cannot be used")?;
    Ok(builder.with_layer(&layers).build())
}
