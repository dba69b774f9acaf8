//! A job that was accepted, and whose receipt never came.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::support::{Split, await_series, sum};
use crate::support::trial;

/// How the server begins to say that it has stored a job.
const RECEIPT: &[u8] = b"{\"stream\":\"chatbotler-jobs\"";

pub(super) fn tests() -> Vec<Trial> {
    vec![trial("jobs_without_a_receipt_are_waited_for", lost)]
}

/// Declined, it would be done all the same, and once more for whoever asks again.
async fn lost(run: Arc<RunDir>) -> Result<()> {
    let split = Split::start(Arc::clone(&run)).await?;
    let line = Line::start(split.nats.url()).await?;
    // an animation would be a second job, with a receipt of its own
    let flags = run.subfolder("flags")?;
    let off = json!({
        "version": 1, "policy": "chatbotler", "level": 1, "levelName": "Calm",
        "since": "2026-11-21T09:00:00Z", "epoch": 100, "reason": "",
        "features": {"animations": {"state": "Disabled", "value": false, "tier": "Luxury"}},
    });
    std::fs::write(flags.join("state.json"), off.to_string())?;
    let options = [
        format!("--nats-url=nats://{}", line.address),
        format!("--flags-dir={}", flags.display()),
        "--deadline=55s".to_owned(),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let gateway = split.gateway("gateway", &options).await?;
    // an answer that is there before its receipt leaves that uncounted
    let core = split.core_worker("core", &["--chat-ms=500"]).await?;
    assert_eq!(split.chat(&gateway, "Hello!").await?.0, 200);

    line.state.send_replace(State::CutAtReceipt);
    let session = "session-of-a-visitor";
    let asked = split.asks_as(&gateway, "!remind 1h tea", session);
    await_series(&gateway, "bot_nats_connected", |n| n == 0).await?;
    await_series(&core, "bot_jobs_taken_total Important", |n| n == 2).await?;
    let unknown = "bot_jobs_published_total Important \"unknown\"";
    await_series(&gateway, unknown, |n| n == 1).await?;
    line.state.send_replace(State::Open);
    let (status, reply, _) = asked.await??;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("ok")));
    let done = ["Important", "\"ok\""];
    await_series(&core, "bot_jobs_done_total Important \"ok\"", |n| n == 2).await?;
    assert_eq!(sum(&gateway, "bot_jobs_published_total", &done).await?, 1);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Bytes pass until one is a receipt.
    CutAtReceipt,
    /// Nobody gets through.
    Cut,
}

/// A network between a gateway and the queue.
struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    server: JoinHandle<()>,
}

impl Line {
    async fn start(upstream: String) -> Result<Self> {
        let upstream = upstream.strip_prefix("nats://").map(str::to_owned);
        let upstream = upstream.context("an address of NATS")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = watch::Sender::new(State::Open);
        let shared = state.clone();
        let server = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // an error is the end of a connection, which both sides get to see
                tokio::spawn(relay(near, upstream.clone(), shared.clone()));
            }
        });
        Ok(Self {
            address,
            state,
            server,
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn relay(near: TcpStream, upstream: String, state: watch::Sender<State>) -> Result<()> {
    if *state.borrow() == State::Cut {
        return Ok(());
    }
    let far = TcpStream::connect(upstream).await?;
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let out = async { tokio::io::copy(&mut from_near, &mut to_far).await };
    let back = async {
        let mut said = Vec::new();
        loop {
            let begin = said.len();
            if from_far.read_buf(&mut said).await? == 0 {
                return Ok(());
            }
            let receipt = said.windows(RECEIPT.len()).any(|part| part == RECEIPT);
            if receipt && *state.borrow() == State::CutAtReceipt {
                state.send_replace(State::Cut);
                return Ok(());
            }
            to_near.write_all(&said[begin..]).await?;
            // a receipt may come in two parts
            let keep = said.len().saturating_sub(RECEIPT.len() - 1);
            said.drain(..keep);
        }
    };
    tokio::select! {
        sent = out => sent.map(drop).map_err(Into::into),
        heard = back => heard,
    }
}
