//! A stand-in for a bot: a real HTTP server with metrics that a test sets as it goes.

mod store;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::prometheus::{Prometheus, Target};
use store::Store;

pub use store::{Counter, Gauge, Histogram};

/// The media type of the text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A server of metrics on a free port. Dropping it closes the port and unregisters it.
pub struct Exporter {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
    targets: Mutex<Vec<Target>>,
}

#[derive(Default)]
struct State {
    metrics: Store,
    /// Answers with an error, as a bot that is unwell does.
    broken: bool,
}

impl Exporter {
    /// Starts a server without metrics.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let app = Router::new().route("/metrics", get(move || std::future::ready(answer(&shared))));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await; // ends with the task
        });
        Ok(Self {
            address,
            state,
            server,
            targets: Mutex::default(),
        })
    }

    /// Where it listens: `127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Has a Prometheus ask this server, and give its series these labels (such as `job`).
    pub fn register(&self, prometheus: &Prometheus, labels: &[(&str, &str)]) -> Result<()> {
        let target = prometheus.add_target(&self.address(), labels)?;
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(target);
        Ok(())
    }

    /// Ends every registration: the series go stale.
    pub fn unregister(&self) {
        self.targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A gauge; it is 0 until set.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Gauge {
        Gauge::new(&self.state, name, labels)
    }

    /// A counter; it starts at 0.
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> Counter {
        Counter::new(&self.state, name, labels)
    }

    /// A classic histogram with these upper bounds (ascending, without +Inf); it starts empty.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)], bounds: &[f64]) -> Histogram {
        Histogram::new(&self.state, name, labels, bounds)
    }

    /// Removes a metric with all its series.
    pub fn remove(&self, name: &str) {
        self.state().metrics.remove(name);
    }

    /// Removes everything, as a restarted bot has nothing yet.
    pub fn clear(&self) {
        self.state().metrics = Store::default();
    }

    /// Makes every scrape fail with status 500, or mends that.
    pub fn set_broken(&self, broken: bool) {
        self.state().broken = broken;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(state: &Mutex<State>) -> Response {
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if state.broken {
        return (StatusCode::INTERNAL_SERVER_ERROR, "unwell").into_response();
    }
    (
        [(header::CONTENT_TYPE, TEXT_FORMAT)],
        state.metrics.to_string(),
    )
        .into_response()
}
