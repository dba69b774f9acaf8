//! A stand-in for Discord that speaks its protocol: a gateway with sessions, heartbeats, resumes and close
//! codes, and an HTTP API with rate limits by bucket, nonces and interactions.
//!
//! What a client may not do is written down ([`Discord::violations`]): a test ends with
//! [`Discord::assert_good_manners`].
//!
//! - [`state`]: what the server knows; [`events`]: what people do there
//! - `gateway`, `session`: the websocket; `api`, `routes`: HTTP; `buckets`: its limits

mod api;
mod buckets;
pub mod events;
mod gateway;
mod routes;
mod session;
pub mod state;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use session::Frame;
use state::{Call, Fault, Post, Rule, State};

/// The only token that it knows.
pub const TOKEN: &str = "a.stand-in.token";
/// The application, which is also the bot's user.
pub const BOT: u64 = 900_000_000_000_000_001;
/// The server that the bot is in.
pub const GUILD: u64 = 800_000_000_000_000_001;
/// A channel of it.
pub const CHANNEL: u64 = 700_000_000_000_000_001;

/// A running stand-in. Dropping it closes its ports.
pub struct Discord {
    shared: Arc<Shared>,
    api: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Where sessions are resumed.
    gateway: SocketAddr,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // each change is made at once, so a panic elsewhere leaves nothing half done
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Discord {
    /// Starts on two free ports, with one server that has one channel.
    pub async fn start() -> Result<Self> {
        let api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let api = api.context("cannot listen")?;
        let gateway = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let gateway = gateway.context("cannot listen")?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new()),
            gateway: gateway.local_addr()?,
        });
        let address = api.local_addr()?;
        let tasks = vec![
            tokio::spawn(api::serve(api, Arc::clone(&shared))),
            tokio::spawn(gateway::serve(gateway, Arc::clone(&shared))),
        ];
        Ok(Self {
            shared,
            api: address,
            tasks,
        })
    }

    /// What a bot is told to find it.
    pub fn options(&self) -> Vec<String> {
        vec![
            format!("--discord-token={TOKEN}"),
            format!("--discord-api-url=http://{}/api/v10", self.api),
        ]
    }

    /// Changes how it behaves, or looks at what it knows.
    pub fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.shared.state())
    }

    /// Has the next `times` calls of this method whose path holds `path` end so.
    pub fn fail(&self, method: &str, path: &str, times: usize, fault: Fault) {
        let rule = Rule {
            method: method.to_owned(),
            path: path.to_owned(),
            left: times,
            fault,
        };
        self.with(|state| state.rules.push(rule));
    }

    /// Everything posted so far.
    pub fn posts(&self) -> Vec<Post> {
        self.with(|state| state.posts.clone())
    }

    /// The calls whose path holds this.
    pub fn calls(&self, path: &str) -> Vec<Call> {
        self.with(|state| {
            let calls = state.calls.iter().filter(|call| call.path.contains(path));
            calls.cloned().collect()
        })
    }

    /// What the answer to an interaction has become, once it is there.
    pub fn fulfilled(&self, token: &str) -> Option<Value> {
        self.with(|state| state.promises.get(token).and_then(|p| p.answer.clone()))
    }

    /// How many sessions have a connection.
    pub fn connected(&self) -> usize {
        self.with(|state| {
            let sessions = state.sessions.values();
            sessions.filter(|session| session.line.is_some()).count()
        })
    }

    /// Cuts every connection as a broken line would. What happens meanwhile is kept for the resume.
    pub fn cut(&self) {
        self.hang_up(&Frame::Cut);
    }

    /// Closes every connection with a code.
    pub fn close(&self, code: u16) {
        self.hang_up(&Frame::Close(code));
    }

    fn hang_up(&self, frame: &Frame) {
        self.with(|state| {
            for session in state.sessions.values_mut() {
                if let Some(line) = session.line.take() {
                    let _ = line.send(frame.clone()); // it has gone by itself
                }
            }
        });
    }

    /// Asks every client to connect anew and resume (op 7).
    pub fn ask_to_reconnect(&self) {
        self.with(|state| {
            for session in state.sessions.values_mut() {
                session.tell(&serde_json::json!({"op": 7, "d": null}));
            }
        });
    }

    /// Tells every client that its session is gone for good (op 9).
    pub fn invalidate(&self) {
        self.with(|state| {
            for (_, mut session) in state.sessions.drain() {
                session.tell(&serde_json::json!({"op": 9, "d": false}));
            }
        });
    }

    /// Forgets all sessions, as Discord does some minutes after their connections have ended.
    pub fn forget(&self) {
        self.with(|state| state.sessions.clear());
    }

    /// What a client did that it may not.
    pub fn violations(&self) -> Vec<String> {
        self.with(|state| state.violations.clone())
    }

    /// Fails if there was anything of that kind.
    pub fn assert_good_manners(&self) -> Result<()> {
        let violations = self.violations();
        ensure!(
            violations.is_empty(),
            "against Discord's rules: {violations:#?}"
        );
        Ok(())
    }

    /// For a test that has to wait for time to pass on Discord's side: nonces are forgotten after this.
    pub fn set_nonce_window(&self, window: Duration) {
        self.with(|state| state.nonce_window = window);
    }
}

impl Drop for Discord {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
