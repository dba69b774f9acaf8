//! A server in front of a Prometheus that lets nobody in without the right credentials, as an
//! authenticating proxy does: it looks at each request's headers, and passes on what it accepts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http;

/// Who is let in.
#[derive(Clone)]
pub enum Admits {
    /// Whoever sends these headers.
    Headers(BTreeMap<String, String>),
    /// Whoever has one of these bearer tokens.
    Tokens(Vec<String>),
    /// Whoever has a token that the API server accepts for this audience, and is this user.
    Reviewed {
        /// Asks the API server.
        client: Client,
        /// What the token must be for.
        audience: String,
        /// Whose it must be.
        user: String,
    },
}

impl Admits {
    /// Whoever has one of these bearer tokens.
    pub fn tokens(tokens: &[&str]) -> Self {
        Self::Tokens(tokens.iter().map(|&token| token.to_owned()).collect())
    }
}

/// A request that was let in.
#[derive(Clone, Debug)]
pub struct Let {
    /// Its path.
    pub path: String,
    /// Its form, as it was sent.
    pub form: String,
    /// Its bearer token.
    pub token: Option<String>,
}

/// A guard on a free port. Dropping it closes the port.
pub struct Guard {
    address: SocketAddr,
    state: Arc<Inner>,
    server: JoinHandle<()>,
}

struct Inner {
    upstream: String,
    client: reqwest::Client,
    admits: Mutex<Admits>,
    accepted: AtomicUsize,
    refused: AtomicUsize,
    last: Mutex<Option<Let>>,
}

impl Guard {
    /// Starts a guard before the Prometheus at `upstream`.
    pub async fn start(upstream: &str, admits: Admits) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Inner {
            upstream: upstream.to_owned(),
            client: http::client()?,
            admits: Mutex::new(admits),
            accepted: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            last: Mutex::default(),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await; // ends with the task
        });
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets in others from now on.
    pub fn admit(&self, admits: Admits) {
        *self
            .state
            .admits
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = admits;
    }

    /// How many requests were let in, and how many not.
    pub fn counts(&self) -> (usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        (of(&self.state.accepted), of(&self.state.refused))
    }

    /// The last request that was let in.
    pub fn last(&self) -> Option<Let> {
        self.state.last().clone()
    }
}

impl Inner {
    fn last(&self) -> MutexGuard<'_, Option<Let>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    State(state): State<Arc<Inner>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let admits = state
        .admits
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if !admits.lets_in(&headers).await {
        state.refused.fetch_add(1, Ordering::SeqCst);
        return refusal(&headers);
    }
    state.accepted.fetch_add(1, Ordering::SeqCst);
    *state.last() = Some(Let {
        path: uri.path().to_owned(),
        form: String::from_utf8_lossy(&body).into_owned(),
        token: bearer(&headers).map(str::to_owned),
    });
    // what is in front of the API's own path is the guard's
    let at = uri.path().find("/api/v1/");
    let path = at.map_or_else(String::new, |at| uri.path()[at..].to_owned());
    match pass_on(&state, &path, body).await {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Tells them what they sent, which they must keep to themselves.
fn refusal(headers: &HeaderMap) -> Response {
    let sent = headers
        .get(header::AUTHORIZATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let body = serde_json::json!({
        "status": "error",
        "errorType": "unauthorized",
        "error": format!("{} is not let in", sent.unwrap_or_default()),
    });
    (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
}

async fn pass_on(state: &Inner, path: &str, body: Bytes) -> Result<Response> {
    let answer = state
        .client
        .post(format!("{}{path}", state.upstream))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await?;
    let status = answer.status();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((status, kind, answer.bytes().await?).into_response())
}

impl Admits {
    fn lets_in<'a>(&'a self, headers: &'a HeaderMap) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match self {
                Self::Headers(wanted) => wanted
                    .iter()
                    .all(|(name, value)| headers.get(name).is_some_and(|sent| sent == value)),
                Self::Tokens(tokens) => {
                    let sent = bearer(headers).unwrap_or_default();
                    tokens.iter().any(|token| token == sent)
                }
                Self::Reviewed {
                    client,
                    audience,
                    user,
                } => review(client, headers, audience)
                    .await
                    .is_ok_and(|who| who.as_deref() == Some(user)),
            }
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    authorization.strip_prefix("Bearer ")
}

/// Whose token it is, if it is anybody's for this audience.
async fn review(client: &Client, headers: &HeaderMap, audience: &str) -> Result<Option<String>> {
    let token = bearer(headers).context("no token")?;
    let review = TokenReview {
        spec: TokenReviewSpec {
            audiences: Some(vec![audience.to_owned()]),
            token: Some(token.to_owned()),
        },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let status = reviews
        .create(&PostParams::default(), &review)
        .await?
        .status
        .unwrap_or_default();
    // a server that knows no audiences would accept any
    let meant = status
        .audiences
        .is_some_and(|all| all.iter().any(|one| one == audience));
    let user = status.user.and_then(|user| user.username);
    Ok(user.filter(|_| meant && status.authenticated == Some(true)))
}
