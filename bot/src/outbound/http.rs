//! HTTP to others: one client, and what its answers and errors mean for a [`Dependency`].
//!
//! Nothing that goes into a message here holds an address's query, a header or a body: keys and
//! people's text travel in them.
//!
//! [`Dependency`]: super::Dependency

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};

use super::fault::Fault;
use super::retry_after;

/// What the client itself is held to; the time of an attempt is the dependency's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpLimits {
    pub(crate) connect_timeout: Duration,
    /// Bytes of an answer's body.
    pub(crate) longest_body: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            longest_body: 1 << 20,
        }
    }
}

/// Speaks HTTP to one dependency. Proxies are those of the environment.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    longest_body: usize,
}

impl HttpClient {
    /// For what lies under `base`.
    pub(crate) fn new(base: &Url, limits: HttpLimits) -> Result<Self, reqwest::Error> {
        let mut client = reqwest::Client::builder()
            // followed, credentials would go wherever the answer points
            .redirect(redirect::Policy::none())
            .connect_timeout(limits.connect_timeout)
            .user_agent(concat!("chatbotler/", env!("CARGO_PKG_VERSION")))
            // shorter than what load balancers keep
            .pool_idle_timeout(Duration::from_secs(50));
        if base.scheme() == "http" {
            // without this an image that holds no certificates could not even speak plain HTTP
            client = client.tls_certs_only([]);
        }
        Ok(Self {
            client: client.build()?,
            longest_body: limits.longest_body,
        })
    }

    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// The whole answer, whatever its status; see [`Answer::accept`].
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, Fault> {
        let mut response = request.send().await.map_err(fault)?;
        let body = self.body(&mut response).await?;
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    /// Of an error, what fits will do: its status says more than a page of thousands of lines.
    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            let room = self.longest_body - body.len();
            if chunk.len() > room {
                if !response.status().is_success() {
                    body.extend_from_slice(&chunk[..room]);
                    break;
                }
                let most = self.longest_body;
                return Err(Fault::refused(format!(
                    "the answer is longer than {most} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// An answer with its body.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer if it is a good one (2xx).
    pub(crate) fn accept(self) -> Result<Self, Fault> {
        let status = self.status;
        if status.is_success() {
            return Ok(self);
        }
        let message = format!("status {}", status.as_u16());
        let fault = match status {
            StatusCode::TOO_MANY_REQUESTS => Fault::limited(message),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Fault::transient(message),
            _ if status.is_server_error() => Fault::transient(message),
            _ => Fault::refused(message),
        };
        Err(fault.after(self.retry_after(Timestamp::now())))
    }

    /// How long it asks to be left alone.
    pub(crate) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry_after::parse(value, now)
    }
}

/// There was no whole answer.
fn fault(error: reqwest::Error) -> Fault {
    let what = if error.is_builder() {
        "the request cannot be made"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "no answer in time"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request failed"
    };
    let ours = error.is_builder();
    // the address is looked up and the line opened, with TLS, before the first byte of a request goes
    let unsent = ours || error.is_connect();
    let message = format!("{what}: {}", root_cause(&error.without_url()));
    let fault = if ours {
        Fault::refused(message)
    } else {
        Fault::transient(message)
    };
    if unsent { fault.unsent() } else { fault }
}

fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
