//! A bot on a loopback port, and the directory it reads its flags from.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test file uses its part

pub mod process;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use chatbotler::Config;
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Bot {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub stop: CancellationToken,
    pub run: JoinHandle<anyhow::Result<chatbotler::Ended>>,
}

/// Little work, so that tests are quick; later options stand over these.
const QUICK: [&str; 5] = [
    "chatbotler",
    "--work-scale=0.01",
    "--flags-interval=10ms",
    "--grace=10s",
    "--store=sqlite::memory:",
];

pub async fn start(options: &[&str]) -> Bot {
    start_with(chatbotler::Given::default(), options).await
}

/// As somebody who embeds it does.
pub async fn start_with(given: chatbotler::Given, options: &[&str]) -> Bot {
    // reqwest is built without a provider of its own; a second install is refused, which is fine
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::try_parse_from(QUICK.iter().chain(options)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let run = tokio::spawn(chatbotler::run_with(
        given,
        config,
        listener,
        stop.clone().cancelled_owned(),
    ));
    let client = reqwest::Client::new();
    Bot {
        address,
        client,
        stop,
        run,
    }
}

impl Bot {
    pub async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).send().await.unwrap()
    }

    pub async fn chat(&self, message: &str) -> (u16, Value) {
        let url = format!("http://{}/chat", self.address);
        let body = json!({ "message": message, "user": "guest" });
        let response = self.client.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub async fn status(&self) -> Value {
        self.get("/status").await.json().await.unwrap()
    }

    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.text().await.unwrap()
    }

    /// The value of one series, its labels exactly as printed.
    pub async fn series(&self, series: &str) -> Option<f64> {
        let text = self.metrics().await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    /// Waits until the series has the value.
    pub async fn until(&self, series: &str, value: f64) {
        let mut last = None;
        let reached = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                last = self.series(series).await;
                if last == Some(value) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let reached = reached.await.is_ok();
        assert!(reached, "{series} is {last:?}, not {value}");
    }
}

/// `state.json` of a small ladder.
pub fn flags(epoch: i64, level: usize, ai_chat: (&str, i64), animations: &str) -> String {
    json!({
        "version": 1, "policy": "chatbotler", "level": level, "levelName": format!("rung-{level}"),
        "since": "2026-11-21T09:00:00Z", "epoch": epoch, "reason": "latency-p95 is high",
        "features": {
            "commands": {"state": "Enabled", "value": true, "tier": "Critical"},
            "ai-chat": {"state": ai_chat.0, "value": ai_chat.1, "tier": "Important"},
            "animations": {"state": animations, "value": animations == "Enabled", "tier": "Luxury"},
            "teleport": {"state": "Disabled", "value": "off", "tier": "Luxury"},
        }
    })
    .to_string()
}

/// A mounted `ConfigMap`, swapped as the kubelet does: a new directory, a new link, a rename over
/// the old link, and the old directory removed.
pub struct Mount {
    dir: TempDir,
    generation: u32,
}

impl Mount {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, generation: 0 }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn option(&self) -> String {
        format!("--flags-dir={}", self.path().display())
    }

    pub fn swap(&mut self, state_json: &str) {
        let name = |generation| format!("..generation_{generation}");
        let old = self.path().join(name(self.generation));
        self.generation += 1;
        let new = self.path().join(name(self.generation));
        fs::create_dir(&new).unwrap();
        fs::write(new.join("state.json"), state_json).unwrap();
        let link = self.path().join("..data_tmp");
        symlink(name(self.generation), &link).unwrap();
        fs::rename(&link, self.path().join("..data")).unwrap();
        let _ = symlink("..data/state.json", self.path().join("state.json"));
        let _ = fs::remove_dir_all(old);
    }

    /// Every key gone, as when the `ConfigMap` is deleted and the volume optional.
    pub fn empty(&mut self) {
        fs::remove_file(self.path().join("..data")).unwrap();
        fs::remove_file(self.path().join("state.json")).unwrap();
    }
}
