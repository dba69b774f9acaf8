//! One connection to Discord's gateway: twilight keeps the session, we look after what it brings.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use twilight_gateway::queue::InMemoryQueue;
use twilight_gateway::{
    CloseFrame, Config, ConfigBuilder, Event, EventTypeFlags, Session as GatewaySession, Shard,
    ShardId, StreamExt as _,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
};
use twilight_model::gateway::CloseCode;
use twilight_model::gateway::payload::incoming::Ready;

use super::gateway::closed;
use super::metrics::Kind;
use super::progress::Progress;
use super::{DiscordError, Door};
use crate::store::sessions::Bookmark;

const WANTED: EventTypeFlags = EventTypeFlags::READY
    .union(EventTypeFlags::RESUMED)
    .union(EventTypeFlags::MESSAGE_CREATE)
    .union(EventTypeFlags::INTERACTION_CREATE)
    .union(EventTypeFlags::GATEWAY_HELLO)
    .union(EventTypeFlags::GATEWAY_HEARTBEAT_ACK)
    .union(EventTypeFlags::GATEWAY_RECONNECT)
    .union(EventTypeFlags::GATEWAY_INVALIDATE_SESSION);
/// Nobody says goodbye for longer than that.
const GOODBYE: Duration = Duration::from_secs(2);

/// One shard, until `stop` or a close that is final. One that ends otherwise is no error here: it is begun anew.
pub(super) async fn follow(
    id: ShardId,
    config: Config<InMemoryQueue>,
    door: Arc<Door>,
    stop: CancellationToken,
) -> Result<(), DiscordError> {
    // who does not know that fits no session
    let me = door.me.get().map(ToString::to_string).unwrap_or_default();
    let restoring = door.sessions.restore(id.number(), id.total(), &me);
    let Some(restored) = stop.run_until_cancelled(restoring).await else {
        return Ok(());
    };
    let mut session = Session::new(&door, id);
    let mut shard = match restored {
        Some((mark, progress)) => {
            tracing::info!(shard = id.number(), "going on with a session that was left");
            session.progress = progress;
            let config = ConfigBuilder::from(config)
                .session(GatewaySession::new(mark.sequence, mark.session))
                .resume_url(mark.resume_url);
            Shard::with_config(id, config.build())
        }
        None => Shard::with_config(id, config),
    };
    loop {
        let item = tokio::select! {
            item = shard.next_event(WANTED) => item,
            () = stop.cancelled() => break,
        };
        match item {
            Some(Ok(event)) => {
                let latency = shard.latency().recent().first().copied();
                let sequence = shard.session().map(GatewaySession::sequence);
                session.on(event, latency, sequence);
                if session.is_refused() {
                    // it would ask for the same again
                    shard = Shard::with_config(id, shard.config().clone());
                }
            }
            Some(Err(error)) => unheard(&door, &error),
            None => return session.last_close.and_then(closed).map_or(Ok(()), Err),
        }
    }
    // by any other code than that of a farewell the session waits for the next process
    shard.close(CloseFrame::RESUME);
    let goodbye = async {
        // a greeting is that of a new connection, which is not wanted
        while let Some(Ok(event)) = shard.next_event(EventTypeFlags::GATEWAY_HELLO).await {
            if matches!(event, Event::GatewayClose(_) | Event::GatewayHello(_)) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    Ok(())
}

/// Never with the error's own text: it holds all that was said, word by word.
fn unheard(door: &Door, error: &ReceiveMessageError) {
    if matches!(error.kind(), ReceiveMessageErrorType::Reconnect) {
        return tracing::warn!("the gateway cannot be reached; it is tried again");
    }
    door.metrics.event(Kind::Broken);
    tracing::warn!("the gateway said what nobody understands");
}

/// How one shard stands.
struct Session<'a> {
    door: &'a Arc<Door>,
    id: ShardId,
    connected: bool,
    greeted: bool,
    last_close: Option<u16>,
    /// What comes may be some time ago, until the gateway says that it is over with that.
    replaying: bool,
    progress: Progress,
}

impl<'a> Session<'a> {
    fn new(door: &'a Arc<Door>, id: ShardId) -> Self {
        Self {
            door,
            id,
            connected: false,
            greeted: false,
            last_close: None,
            replaying: false,
            progress: Progress::default(),
        }
    }

    fn began(&mut self, ready: Ready, sequence: u64) {
        let mark = Bookmark {
            bot: ready.user.id.to_string(),
            session: ready.session_id,
            resume_url: ready.resume_gateway_url,
            sequence,
        };
        let (shard, shards) = (self.id.number(), self.id.total());
        self.progress = self.door.sessions.began(shard, shards, mark);
    }

    /// Whether the gateway has closed since it does not know the session any more.
    fn is_refused(&mut self) -> bool {
        let refused = self
            .last_close
            .map(CloseCode::try_from)
            .is_some_and(|code| {
                matches!(
                    code,
                    Ok(CloseCode::InvalidSequence | CloseCode::SessionTimedOut)
                )
            });
        if refused {
            self.last_close = None;
            self.door.sessions.lost(self.id.number());
        }
        refused
    }

    fn on(&mut self, event: Event, latency: Option<Duration>, sequence: Option<u64>) {
        let metrics = &self.door.metrics;
        // without a session nothing comes that is begun
        let sequence = sequence.unwrap_or_default();
        match event {
            Event::GatewayHello(_) => {
                self.replaying = true;
                if self.greeted {
                    metrics.reconnects.inc();
                }
                self.greeted = true;
            }
            Event::Ready(ready) => {
                metrics.event(Kind::Ready);
                self.replaying = false;
                self.began(ready, sequence);
                self.set_connected(true);
            }
            Event::Resumed => {
                metrics.event(Kind::Resumed);
                self.replaying = false;
                self.door.sessions.resumed(self.id.number());
                self.set_connected(true);
            }
            Event::MessageCreate(said) => {
                metrics.event(Kind::Message);
                self.door.message(&said, sequence, &self.progress);
            }
            Event::InteractionCreate(used) => {
                metrics.event(Kind::Interaction);
                self.door
                    .interaction(used.0, self.replaying, sequence, &self.progress);
            }
            Event::GatewayReconnect => {
                metrics.event(Kind::Reconnect);
                self.set_connected(false);
            }
            Event::GatewayInvalidateSession(resumable) => {
                metrics.event(Kind::InvalidSession);
                if !resumable {
                    self.door.sessions.lost(self.id.number());
                }
                self.set_connected(false);
            }
            Event::GatewayClose(frame) => {
                metrics.event(Kind::Close);
                self.last_close = frame.map(|frame| frame.code);
                tracing::info!(
                    code = self.last_close,
                    "the gateway's connection has closed"
                );
                self.set_connected(false);
            }
            Event::GatewayHeartbeatAck => {
                metrics.event(Kind::HeartbeatAck);
                if let Some(latency) = latency {
                    metrics.latency.observe(latency.as_secs_f64());
                }
            }
            _ => {}
        }
        // only now: how far it is may be written at any moment, and what is to be answered has to be begun by then
        self.progress.hear(sequence);
    }

    fn set_connected(&mut self, connected: bool) {
        if self.connected != connected {
            self.connected = connected;
            let gauge = &self.door.metrics.connected;
            if connected {
                gauge.inc()
            } else {
                gauge.dec()
            };
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.set_connected(false);
    }
}
