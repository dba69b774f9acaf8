//! The websocket: hello, identify, resume, heartbeats.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_websockets::{CloseCode, Message, ServerBuilder};

use super::session::{Frame, Session};
use super::{BOT, GUILD, Shared, TOKEN};

/// Identifies of one bucket are 5 s apart as they are sent; of two, the first may come the later on a busy machine.
const IDENTIFY_EVERY: Duration = Duration::from_secs(4);
/// A heartbeat may be this late on a busy machine.
const LATE: Duration = Duration::from_secs(10);

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // ends what it has begun with itself
    let mut lines = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        lines.spawn(async move {
            if let Err(error) = talk(stream, &shared).await {
                tracing::debug!(%error, "a connection to the gateway ended");
            }
        });
    }
}

/// One connection.
struct Line {
    out: UnboundedSender<Frame>,
    session: Option<String>,
    last_beat: Instant,
}

async fn talk(stream: TcpStream, shared: &Shared) -> Result<(), tokio_websockets::Error> {
    let (request, mut socket) = ServerBuilder::new().accept(stream).await?;
    let query = request.uri().query().unwrap_or_default().to_owned();
    if !(query.contains("v=10") && query.contains("encoding=json")) {
        let mut state = shared.state();
        state.violation(format!("the gateway is asked for {query:?}"));
    }
    let interval = shared.state().heartbeat_interval;
    let (out, mut frames) = unbounded_channel();
    let mut line = Line {
        out,
        session: None,
        last_beat: Instant::now(),
    };
    line.say(&json!({"op": 10, "d": {"heartbeat_interval": interval}}));
    let allowed = Duration::from_millis(interval) + LATE;
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => socket.send(Message::text(text)).await?,
                Some(Frame::Close(code)) => {
                    let code = CloseCode::try_from(code).ok();
                    socket.send(Message::close(code, "")).await?;
                }
                Some(Frame::Cut) | None => break,
            },
            message = socket.next() => match message {
                Some(Ok(message)) => match message.as_text().map(serde_json::from_str) {
                    Some(Ok(payload)) => line.hear(&payload, shared),
                    Some(Err(_)) => line.refuse(shared, 4002, "what is no JSON"),
                    None if message.is_close() => {
                        line.goodbye(&message, shared);
                        let _ = socket.close().await; // says the same code; the other side may be gone
                        break;
                    }
                    None => {}
                },
                _ => break,
            },
            () = tokio::time::sleep(allowed.saturating_sub(line.last_beat.elapsed())) => {
                line.refuse(shared, 4009, "no heartbeat in time");
                line.last_beat = Instant::now();
            }
        }
    }
    line.gone(shared);
    Ok(())
}

impl Line {
    fn say(&self, payload: &Value) {
        let _ = self.out.send(Frame::Text(payload.to_string())); // the connection is gone
    }

    /// Writes it down and hangs up.
    fn refuse(&self, shared: &Shared, code: u16, what: &str) {
        shared
            .state()
            .violation(format!("the gateway closes with {code}: {what}"));
        let _ = self.out.send(Frame::Close(code));
    }

    fn hear(&mut self, payload: &Value, shared: &Shared) {
        let data = &payload["d"];
        match payload["op"].as_u64() {
            Some(1) => self.beat(data, shared),
            Some(2) => self.identify(data, shared),
            Some(6) => self.resume(data, shared),
            Some(3 | 4 | 8) => {}
            _ => self.refuse(shared, 4001, "an unknown opcode"),
        }
    }

    fn beat(&mut self, data: &Value, shared: &Shared) {
        self.last_beat = Instant::now();
        let mut state = shared.state();
        let sequence = self
            .session
            .as_ref()
            .and_then(|id| state.sessions.get(id))
            .map(|session| session.sequence);
        let sane = match (data.as_u64(), sequence) {
            (Some(beat), Some(sequence)) => beat <= sequence,
            (Some(_), None) => false,
            // an invalidated session has no sequence either
            (None, _) => data.is_null(),
        };
        if !sane && sequence.is_some() {
            state.violation(format!("a heartbeat of {data} at sequence {sequence:?}"));
        }
        if !state.deaf {
            self.say(&json!({"op": 11, "d": null}));
        }
    }

    fn identify(&mut self, data: &Value, shared: &Shared) {
        if self.session.is_some() {
            return self.refuse(shared, 4005, "identified twice on one connection");
        }
        if data["token"] != format!("Bot {TOKEN}") && data["token"] != TOKEN {
            let _ = self.out.send(Frame::Close(4004));
            return;
        }
        let intents = data["intents"].as_u64().unwrap_or_default();
        let mut state = shared.state();
        let now = Instant::now();
        let early = state
            .identifies
            .last()
            .is_some_and(|(last, _)| now - *last < IDENTIFY_EVERY);
        state.identifies.push((now, intents));
        if early {
            state.violation("identified again within 5 s");
        }
        if let Some(code) = state.refuse {
            let _ = self.out.send(Frame::Close(code));
            return;
        }
        if intents & !state.granted != 0 {
            let _ = self.out.send(Frame::Close(4014));
            return;
        }
        let number = |n: usize| {
            let value = data["shard"][n].as_u64().unwrap_or(n as u64);
            u32::try_from(value).unwrap_or_default()
        };
        let shard = (number(0), number(1).max(1));
        let mut session = Session {
            shard,
            intents,
            sequence: 0,
            said: Vec::new(),
            line: Some(self.out.clone()),
        };
        let id = format!("session-{}", state.id());
        session.dispatch("READY", &ready(&id, shard, shared));
        state.sessions.insert(id.clone(), session);
        self.session = Some(id);
    }

    fn resume(&mut self, data: &Value, shared: &Shared) {
        let id = data["session_id"].as_str().unwrap_or_default().to_owned();
        let after = data["seq"].as_u64().unwrap_or_default();
        let mut state = shared.state();
        if let Some(code) = state.refuse_resumes {
            state.sessions.remove(&id);
            let _ = self.out.send(Frame::Close(code));
            return;
        }
        let Some(session) = state.sessions.get_mut(&id) else {
            return self.say(&json!({"op": 9, "d": false}));
        };
        if after > session.sequence {
            let _ = self.out.send(Frame::Close(4007));
            return;
        }
        session.line = Some(self.out.clone());
        session.replay(after);
        session.dispatch("RESUMED", &json!({}));
        state.resumes += 1;
        self.session = Some(id);
    }

    /// Who leaves with one of these codes does not come back: the session ends.
    fn goodbye(&self, message: &Message, shared: &Shared) {
        let code = message.as_close().map(|(code, _)| u16::from(code));
        if let (Some(1000 | 1001), Some(id)) = (code, &self.session) {
            shared.state().sessions.remove(id);
        }
    }

    /// What is said from now on waits for a resume.
    fn gone(&self, shared: &Shared) {
        let mut state = shared.state();
        let session = self
            .session
            .as_ref()
            .and_then(|id| state.sessions.get_mut(id));
        if let Some(session) = session
            && session
                .line
                .as_ref()
                .is_some_and(|line| line.same_channel(&self.out))
        {
            session.line = None;
        }
    }
}

fn ready(id: &str, shard: (u32, u32), shared: &Shared) -> Value {
    let bot = BOT.to_string();
    json!({
        "v": 10, "session_id": id, "resume_gateway_url": format!("ws://{}", shared.gateway),
        "shard": [shard.0, shard.1],
        "user": {
            "id": bot, "username": "ChatBotler", "discriminator": "0", "avatar": null, "bot": true,
            "mfa_enabled": true, "verified": true, "email": null, "flags": 0, "global_name": null,
        },
        "guilds": [{"id": GUILD.to_string(), "unavailable": true}],
        "application": {"id": bot, "flags": 0},
    })
}
