//! Discord's HTTP API: requests by twilight's routes, within its rate limits, as one dependency.
//!
//! The limiter is twilight's, fed with the headers of every answer. The transport is our own, because
//! twilight's client keeps the headers to itself: it asks again at once when the limit is a global one, and
//! the rest of the bot could not be told how long Discord wants to be left alone.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use prometheus_client::metrics::counter::Counter;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until, timeout_at};
use twilight_http::request::Request;
use twilight_http_ratelimiting::{Endpoint, Permit, RateLimiter};

use super::DiscordError;
use super::limit::{LEAST, limit, seconds};
use crate::outbound::{Answer, CallError, Dependency, Fault, HttpClient, HttpLimits};

/// Who we are, in the form that Discord asks for.
const AGENT: &str = concat!(
    "DiscordBot (",
    env!("CARGO_PKG_NAME"),
    ", ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

/// Between two looks at a bucket that never empties, and up to as much again by chance.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Why Discord did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// It may have, and we do not know.
    #[error("Discord: {0}")]
    Call(#[from] CallError),
    /// It said no.
    #[error("Discord refuses with status {status}, code {code}")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// Discord's own; 0 where it gave none.
        code: u64,
    },
    /// The request or the answer is not what was expected.
    #[error("Discord: {0}")]
    Shape(String),
}

impl ApiError {
    /// Whether it does not know the token.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }
}

/// The API.
pub(crate) struct Api {
    http: HttpClient,
    base: Url,
    authorization: SecretString,
    limits: RateLimiter,
    dependency: Dependency,
    /// Apart from the rest, since Discord waits for 3 s only, and its global limit does not hold for them.
    interactions: Dependency,
    /// Requests turned away with status 429.
    limited: Counter,
}

/// An answer that is none of a fault's.
enum Verdict {
    Done(Vec<u8>),
    /// Beyond the limit of this route alone: the limiter lets the next one pass when there is room.
    Again,
}

/// Status and code of a refusal, for the caller: to the dependency it is a fault like any other.
type No = OnceLock<(u16, u64)>;

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u64,
}

impl Api {
    /// `base` is such as `https://discord.com/api/v10`.
    pub(super) fn new(
        base: &str,
        token: &SecretString,
        [dependency, interactions]: [Dependency; 2],
        limited: Counter,
    ) -> Result<Self, DiscordError> {
        let wrong = |error: &dyn std::fmt::Display| DiscordError::Url(error.to_string());
        let url: Url = base.parse().map_err(|error| wrong(&error))?;
        if url.cannot_be_a_base() {
            return Err(wrong(&"it is no such address"));
        }
        let http = HttpClient::new(&url, HttpLimits::default()).map_err(|error| wrong(&error))?;
        Ok(Self {
            http,
            base: url,
            authorization: format!("Bot {}", token.expose_secret()).into(),
            limits: RateLimiter::default(),
            dependency,
            interactions,
            limited,
        })
    }

    /// Sends it, and gives what Discord answers, or why it did not by `deadline`.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<T, ApiError> {
        let body = self.bytes(request, deadline).await?;
        // no content reads as null
        let body = if body.is_empty() { b"null" } else { &body[..] };
        serde_json::from_slice(body).map_err(|error| ApiError::Shape(error.to_string()))
    }

    async fn bytes(&self, request: &Request, deadline: Instant) -> Result<Vec<u8>, ApiError> {
        let endpoint = endpoint(request);
        let dependency = if request.use_authorization_token() {
            &self.dependency
        } else {
            &self.interactions
        };
        let mut waits = waits();
        loop {
            // the wait for a place is Discord's wish and not its slowness, so it is out of the dependency's sight
            let permit = timeout_at(deadline, self.limits.acquire(endpoint.clone()))
                .await
                .map_err(|_elapsed| CallError::Deadline)?;
            let permit = Mutex::new(Some(permit));
            let no = No::new();
            let attempt = || {
                let permit = permit.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.attempt(request, endpoint.clone(), permit, &no)
            };
            let called = dependency.call(deadline, attempt).await;
            if let Some(&(status, code)) = no.get() {
                return Err(ApiError::Refused { status, code });
            }
            match called? {
                Verdict::Done(body) => return Ok(body),
                Verdict::Again => {
                    let retry_in = waits.next().unwrap_or(LONGEST_WAIT);
                    let at = Instant::now() + retry_in;
                    if at >= deadline {
                        // not done, and that is certain
                        return Err(CallError::Limited { retry_in }.into());
                    }
                    sleep_until(at).await;
                }
            }
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        endpoint: Endpoint,
        permit: Option<Permit>,
        no: &No,
    ) -> Result<Verdict, Fault> {
        let permit = match permit {
            Some(permit) => permit,
            None => self.limits.acquire(endpoint).await,
        };
        let answer = self.http.send(self.prepare(request)?).await?;
        let refused = answer.status == StatusCode::TOO_MANY_REQUESTS;
        permit.complete(limit(&answer.headers, refused));
        if refused {
            self.limited.inc();
        }
        judge(answer, no)
    }

    fn prepare(&self, request: &Request) -> Result<RequestBuilder, Fault> {
        let name = request.method().name();
        // twilight's names are those of HTTP
        let method = Method::from_bytes(name.as_bytes()).unwrap_or_default();
        let path = format!(
            "{}/{}",
            self.base.path().trim_end_matches('/'),
            request.path()
        );
        // its own words would hold the path, and the path an interaction's token
        let url = self.base.join(&path);
        let url = url.map_err(|_| Fault::refused("the path makes no address"))?;
        let mut builder = self.http.request(method, url).header(USER_AGENT, AGENT);
        if request.use_authorization_token() {
            builder = builder.header(AUTHORIZATION, self.authorization.expose_secret());
        }
        if let Some(body) = request.body() {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_vec());
        }
        Ok(builder)
    }
}

fn judge(answer: Answer, no: &No) -> Result<Verdict, Fault> {
    let status = answer.status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        return too_many(&answer.headers);
    }
    if status.is_success() || status.is_server_error() {
        return Ok(Verdict::Done(answer.accept()?.body));
    }
    let code = serde_json::from_slice(&answer.body).map_or(0, |Refusal { code }| code);
    let status = status.as_u16();
    let _ = no.set((status, code)); // it is said once: what is refused is not asked again
    Err(Fault::refused(format!("status {status}, code {code}")))
}

/// A limit that names its bucket is the limiter's business. Any other is everyone's: the global one, or that
/// of whoever stands in front of Discord.
fn too_many(headers: &HeaderMap) -> Result<Verdict, Fault> {
    if limit(headers, true).is_some() {
        return Ok(Verdict::Again);
    }
    let wait = seconds(headers, RETRY_AFTER.as_str()).unwrap_or(Duration::from_secs(1));
    let wait = wait.max(LEAST);
    Err(Fault::limited("status 429, for everything").after(Some(wait)))
}

/// Beside the limiter's own: longer each time that a bucket is full again, though it should have room.
fn waits() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(LEAST)
        .with_max_delay(LONGEST_WAIT)
        .with_jitter()
        .without_max_times()
        .build()
}

fn endpoint(request: &Request) -> Endpoint {
    let path = request.path();
    Endpoint {
        method: request.method(),
        path: path.split('?').next().unwrap_or(path).to_owned(),
    }
}

#[cfg(test)]
mod tests;
