//! The frames of a watch: one JSON object per line.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::body::{spoil, status};
use super::fault::WatchFault;
use super::request::Asked;
use super::script::Script;

/// How late a delayed frame comes.
const DELAY: Duration = Duration::from_secs(3);

type Sent = Result<Bytes, std::io::Error>;

/// Whether the stream goes on.
enum Next {
    On,
    /// Ends in good order.
    End,
    /// The connection breaks.
    Break,
    /// Nothing more comes, and it does not end.
    Stall,
}

/// Passes a watch on, frame by frame, with what befalls each.
pub(super) fn pass(script: &Arc<Script>, asked: Asked, body: Body) -> Body {
    let (sender, receiver) = mpsc::channel::<Sent>(64);
    let script = Arc::clone(script);
    tokio::spawn(async move {
        tokio::select! {
            () = run(&script, &asked, body, &sender) => {}
            () = sender.closed() => {}
        }
    });
    Body::from_stream(futures::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|sent| (sent, receiver))
    }))
}

async fn run(script: &Script, asked: &Asked, body: Body, sender: &mpsc::Sender<Sent>) {
    let mut body = body.into_data_stream();
    let mut buffer = Vec::new();
    let mut held: Option<Bytes> = None;
    while let Some(Ok(chunk)) = body.next().await {
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let frame = Bytes::from(buffer.drain(..=end).collect::<Vec<u8>>());
            match one(script, asked, frame, &mut held, sender).await {
                Next::On => {}
                Next::End => return,
                Next::Break => {
                    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                    let _ = sender.send(Err(broken)).await; // an error says that nobody listens
                    return;
                }
                Next::Stall => std::future::pending().await,
            }
        }
    }
    if let Some(frame) = held {
        let _ = sender.send(Ok(frame)).await; // an error says that nobody listens
    }
}

async fn one(
    script: &Script,
    asked: &Asked,
    frame: Bytes,
    held: &mut Option<Bytes>,
    sender: &mpsc::Sender<Sent>,
) -> Next {
    let parsed: Value = serde_json::from_slice(&frame).unwrap_or_default();
    let object = parsed["object"]["metadata"]["name"]
        .as_str()
        .unwrap_or_default();
    let fault = script.befalls_frame(asked, object);
    let half = frame.slice(..frame.len() / 2);
    let (frames, next) = match fault {
        None => (vec![frame], Next::On),
        Some(WatchFault::Drop) => (vec![], Next::On),
        Some(WatchFault::Delay) => {
            tokio::time::sleep(DELAY).await;
            (vec![frame], Next::On)
        }
        Some(WatchFault::Duplicate) => (vec![frame.clone(), frame], Next::On),
        Some(WatchFault::Reorder) => {
            *held = Some(frame);
            return Next::On;
        }
        Some(WatchFault::Stall) => (vec![], Next::Stall),
        Some(WatchFault::Eof) => (vec![], Next::End),
        Some(WatchFault::Gone) => (vec![error(410)], Next::End),
        Some(WatchFault::Error) => (vec![error(500)], Next::End),
        Some(WatchFault::Garbage) => (vec![Bytes::from_static(b"}{ no JSON\n")], Next::On),
        Some(WatchFault::Half) => (vec![half], Next::Break),
        Some(WatchFault::Unreadable) => (vec![unreadable(parsed)], Next::On),
    };
    for frame in frames.into_iter().chain(held.take()) {
        let _ = sender.send(Ok(frame)).await; // an error says that nobody listens
    }
    next
}

fn error(code: u16) -> Bytes {
    line(&json!({"type": "ERROR", "object": status(code)}))
}

fn unreadable(mut frame: Value) -> Bytes {
    spoil(&mut frame["object"]);
    line(&frame)
}

fn line(frame: &Value) -> Bytes {
    Bytes::from(format!("{frame}\n"))
}
