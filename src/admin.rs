//! The operator's two read-only ports: health and metrics on one, the live state on another.
//!
//! The live port tells every reader everything (the API server's service proxy cannot tell callers
//! apart), so nothing secret is in it; who wants to keep pods from it
//! binds it by a `NetworkPolicy`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::metrics;

/// What the ports show. The controller implements it; readers cannot write.
pub trait Live: Send + Sync + 'static {
    /// Whether every watch has had its first list.
    fn ready(&self) -> bool;
    /// Every policy, as the live JSON gives it.
    fn policies(&self) -> Value;
    /// One policy.
    fn policy(&self, namespace: &str, name: &str) -> Option<Value>;
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
        .with_state(live);
    axum::serve(listener, router).await
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
