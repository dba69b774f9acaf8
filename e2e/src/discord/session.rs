//! A session of the gateway: it outlives its connections, and keeps what they missed.

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// What goes out over a connection.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Text(String),
    Close(u16),
    /// The line breaks.
    Cut,
}

/// One session.
pub(super) struct Session {
    /// Which of how many.
    pub(super) shard: (u32, u32),
    pub(super) intents: u64,
    /// Of the last event.
    pub(super) sequence: u64,
    /// Every event, for a resume.
    pub(super) said: Vec<(u64, String)>,
    /// The connection, while there is one.
    pub(super) line: Option<UnboundedSender<Frame>>,
}

impl Session {
    /// Something that is no event.
    pub(super) fn tell(&mut self, payload: &Value) {
        self.send(payload.to_string());
    }

    /// An event, heard now or after a resume.
    pub(super) fn dispatch(&mut self, kind: &str, data: &Value) {
        self.sequence += 1;
        let payload = json!({"op": 0, "t": kind, "s": self.sequence, "d": data}).to_string();
        self.said.push((self.sequence, payload.clone()));
        self.send(payload);
    }

    /// Says again what came after this one.
    pub(super) fn replay(&mut self, after: u64) {
        let missed: Vec<String> = self
            .said
            .iter()
            .filter(|(sequence, _)| *sequence > after)
            .map(|(_, payload)| payload.clone())
            .collect();
        for payload in missed {
            self.send(payload);
        }
    }

    fn send(&mut self, payload: String) {
        if let Some(line) = &self.line
            && line.send(Frame::Text(payload)).is_err()
        {
            self.line = None;
        }
    }
}
