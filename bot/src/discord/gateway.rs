//! The connection to Discord's gateway: twilight keeps the sessions, we look after what they bring.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twilight_gateway::queue::InMemoryQueue;
use twilight_gateway::{
    CloseFrame, Config, ConfigBuilder, Event, EventTypeFlags, Shard, ShardId, StreamExt as _,
};
use twilight_model::gateway::CloseCode;

use super::calls::GatewayInfo;
use super::metrics::Kind;
use super::opening::introduce;
use super::shards::keep;
use super::{DiscordError, Door, rights};

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

/// Keeps all shards connected until `stop`, or until Discord refuses the bot for good.
pub(super) async fn serve(
    door: &Arc<Door>,
    token: &SecretString,
    stop: &CancellationToken,
) -> Result<(), DiscordError> {
    let Some(served) = stop.run_until_cancelled(introduce(door)).await else {
        return Ok(());
    };
    let info = served?;
    let config = config(door, token, &info);
    let total = door.config.shards.unwrap_or(info.shards).max(1);
    door.metrics.shards.set(i64::from(total));
    let mut shards = JoinSet::new();
    for n in 0..total {
        let (door, stop, config) = (Arc::clone(door), stop.clone(), config.clone());
        shards.spawn(async move {
            let run = || {
                let shard = Shard::with_config(ShardId::new(n, total), config.clone());
                follow(shard, Arc::clone(&door), stop.clone())
            };
            keep(n, &door.metrics.restarts, &stop, run).await
        });
    }
    while let Some(ended) = shards.join_next().await {
        match ended {
            // the first that is final ends the others too: it says the same of all
            Ok(result) => result?,
            Err(error) => tracing::error!(%error, "a shard is given up"),
        }
    }
    Ok(())
}

/// What all shards have in common, the queue for their identifies too.
fn config(door: &Door, token: &SecretString, info: &GatewayInfo) -> Config<InMemoryQueue> {
    let starts = &info.session_start_limit;
    let queue = InMemoryQueue::new(
        starts.max_concurrency,
        starts.remaining,
        Duration::from_millis(starts.reset_after),
        starts.total,
    );
    let url = door.config.gateway_url.as_ref().unwrap_or(&info.url);
    ConfigBuilder::new(
        token.expose_secret().to_owned(),
        rights::intents(&door.config),
    )
    .proxy_url(url.trim_end_matches('/').to_owned())
    .queue(queue)
    .build()
}

/// One shard, until `stop` or a close that is final. One that ends otherwise is no error here: [`keep`] begins it anew.
async fn follow(
    mut shard: Shard<InMemoryQueue>,
    door: Arc<Door>,
    stop: CancellationToken,
) -> Result<(), DiscordError> {
    let mut session = Session {
        door: &door,
        connected: false,
        greeted: false,
        last_close: None,
    };
    loop {
        let item = tokio::select! {
            item = shard.next_event(WANTED) => item,
            () = stop.cancelled() => break,
        };
        match item {
            Some(Ok(event)) => {
                let latency = shard.latency().recent().first().copied();
                session.on(event, latency);
            }
            Some(Err(error)) => {
                door.metrics.event(Kind::Broken);
                // its text may hold a message
                tracing::warn!(kind = %error, "the gateway said what nobody understands");
            }
            None => return session.last_close.and_then(closed).map_or(Ok(()), Err),
        }
    }
    shard.close(CloseFrame::NORMAL);
    let goodbye = async {
        while let Some(Ok(event)) = shard.next_event(EventTypeFlags::empty()).await {
            if matches!(event, Event::GatewayClose(_)) {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    Ok(())
}

/// How one shard stands.
struct Session<'a> {
    door: &'a Arc<Door>,
    connected: bool,
    greeted: bool,
    last_close: Option<u16>,
}

impl Session<'_> {
    fn on(&mut self, event: Event, latency: Option<Duration>) {
        let metrics = &self.door.metrics;
        match event {
            Event::GatewayHello(_) => {
                if self.greeted {
                    metrics.reconnects.inc();
                }
                self.greeted = true;
            }
            Event::Ready(ready) => {
                metrics.event(Kind::Ready);
                let _ = self.door.me.set(ready.user.id); // the same with every session
                self.set_connected(true);
            }
            Event::Resumed => {
                metrics.event(Kind::Resumed);
                self.set_connected(true);
            }
            Event::MessageCreate(said) => {
                metrics.event(Kind::Message);
                self.door.message(&said);
            }
            Event::InteractionCreate(used) => {
                metrics.event(Kind::Interaction);
                self.door.interaction(used.0);
            }
            Event::GatewayReconnect => {
                metrics.event(Kind::Reconnect);
                self.set_connected(false);
            }
            Event::GatewayInvalidateSession(_) => {
                metrics.event(Kind::InvalidSession);
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

/// What a close that is final means, and what to do; none for any other.
fn closed(code: u16) -> Option<DiscordError> {
    let advice = match CloseCode::try_from(code) {
        Ok(CloseCode::AuthenticationFailed) => return Some(DiscordError::Token),
        Ok(CloseCode::DisallowedIntents) => {
            "switch on \"Message Content Intent\" on the page \"Bot\" of your application, or leave out --discord-message-content"
        }
        Ok(CloseCode::ShardingRequired) => {
            "it is in too many servers for one connection: raise --discord-shards, or leave it out"
        }
        Ok(CloseCode::InvalidShard) => {
            "it does not take this number of shards: correct --discord-shards, or leave it out"
        }
        Ok(CloseCode::InvalidIntents | CloseCode::InvalidApiVersion) => {
            "this version of the bot is too old for it: update the bot"
        }
        _ => return None,
    };
    Some(DiscordError::Closed { code, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_says_what_to_do_and_nothing_else_is() {
        assert!(matches!(closed(4004), Some(DiscordError::Token)));
        for (code, advice) in [
            (4010, "correct --discord-shards"),
            (4011, "raise --discord-shards"),
            (4012, "update the bot"),
            (4013, "update the bot"),
            (4014, "leave out --discord-message-content"),
        ] {
            let text = closed(code).unwrap().to_string();
            assert!(
                text.contains(advice) && text.contains(&code.to_string()),
                "{text}"
            );
        }
        for code in 1000..=4999 {
            let may_come_back = CloseCode::try_from(code).map_or(true, CloseCode::can_reconnect);
            assert_eq!(closed(code).is_none(), may_come_back, "{code}");
        }
    }
}
