//! The operator's two read-only ports: health and metrics on one, the live state on another.
//!
//! The live port tells every reader everything (the API server's service proxy cannot tell callers
//! apart), so nothing secret is in it; who wants to keep pods from it
//! binds it by a `NetworkPolicy`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::metrics;

/// What the ports show. The controller implements it; readers cannot write.
pub trait Live: Send + Sync + 'static {
    /// Whether every watch has had its first list.
    fn ready(&self) -> bool;
    /// Whether another operator leads, so that there is nothing to show here.
    fn standby(&self) -> Option<Standby>;
    /// Every policy, as the live JSON gives it.
    fn policies(&self) -> Value;
    /// One policy.
    fn policy(&self, namespace: &str, name: &str) -> Option<Value>;
}

/// Another operator leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    /// Its name in the Lease, as far as is known.
    pub leader: Option<String>,
}

/// Binds an address; the error names it.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|err| anyhow::anyhow!("cannot listen on {address}: {err}"))
}

/// Serves `/metrics`, `/healthz` and `/readyz` until it is dropped.
pub async fn serve_metrics(
    listener: TcpListener,
    registry: Arc<Registry>,
    live: Arc<dyn Live>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(async move || openmetrics(&registry)))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async move || readyz(live.as_ref())));
    axum::serve(listener, router).await
}

/// Serves `/v1/policies` and `/v1/policies/NAMESPACE/NAME` until it is dropped.
pub async fn serve_live(listener: TcpListener, live: Arc<dyn Live>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/v1/policies", get(all))
        .route("/v1/policies/{namespace}/{name}", get(one))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&live),
            only_leading,
        ))
        .with_state(live);
    axum::serve(listener, router).await
}

/// A standby knows nothing live. It says who leads, in the form of Kubernetes' own errors: kubectl prints
/// the message, and whoever asks the Service again reaches the leader sooner or later.
async fn only_leading(State(live): State<Arc<dyn Live>>, request: Request, next: Next) -> Response {
    let Some(Standby { leader }) = live.standby() else {
        return next.run(request).await;
    };
    let who = leader.as_deref().unwrap_or("nobody that it knows of");
    let status = json!({
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": 503,
        "reason": "ServiceUnavailable",
        "message": format!("this operator stands by and has no live state; the leader is {who}: ask again to reach it"),
        "leader": leader,
    });
    (StatusCode::SERVICE_UNAVAILABLE, axum::Json(status)).into_response()
}

fn openmetrics(registry: &Registry) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::encode(registry)).into_response()
}

fn readyz(live: &dyn Live) -> Response {
    if live.ready() {
        "ok\n".into_response()
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "waiting for the first lists of the watches\n",
        )
            .into_response()
    }
}

async fn all(State(live): State<Arc<dyn Live>>) -> Response {
    axum::Json(live.policies()).into_response()
}

async fn one(
    State(live): State<Arc<dyn Live>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    match live.policy(&namespace, &name) {
        Some(policy) => axum::Json(policy).into_response(),
        None => (StatusCode::NOT_FOUND, "no such policy\n").into_response(),
    }
}
