//! A paid API of a model as a server on loopback: it speaks the `OpenAI` protocol, counts by key, and is as slow, as
//! strict or as broken as a test wants, also while it runs.

mod behaviour;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use behaviour::{Behaviour, Hour, Mode, Rate};

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The key that it came with; empty without one.
    pub key: String,
    /// The status that it was answered with; 0 while there is no answer.
    pub status: u16,
    /// Its body.
    pub body: Value,
}

impl Recorded {
    /// The model that it asks.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// Its messages, as role and content.
    pub fn messages(&self) -> Vec<(&str, &str)> {
        let messages = self.body["messages"].as_array();
        messages
            .into_iter()
            .flatten()
            .map(|message| {
                let of = |field| message[field].as_str().unwrap_or_default();
                (of("role"), of("content"))
            })
            .collect()
    }
}

/// What a running server knows.
#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    requests: Vec<Recorded>,
    /// When a server of its rate has done what it was given.
    busy_until: Instant,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server on a free port. Dropping it closes the port.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    state: Shared,
    server: JoinHandle<()>,
}

impl ModelServer {
    /// Starts a server.
    pub async fn start(behaviour: Behaviour) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            behaviour,
            requests: Vec::new(),
            busy_until: Instant::now(),
        }));
        let app = Router::new()
            .route("/v1/chat/completions", post(serve::complete))
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await; // ends with the task
        });
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// What `--ai-url` is given.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Changes how it behaves from now on; counts stay.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.state).behaviour);
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state).requests.clone()
    }

    /// How many requests came with this key, whatever they were answered.
    pub fn count(&self, key: &str) -> usize {
        let state = lock(&self.state);
        state.requests.iter().filter(|r| r.key == key).count()
    }

    /// How many of them were answered as they should.
    pub fn served(&self, key: &str) -> usize {
        let state = lock(&self.state);
        let served = |r: &&Recorded| r.key == key && r.status == 200;
        state.requests.iter().filter(served).count()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
