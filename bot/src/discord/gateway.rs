//! The connections to Discord's gateway: one per shard, until one of them is refused for good.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use twilight_gateway::queue::InMemoryQueue;
use twilight_gateway::{Config, ConfigBuilder, ShardId};
use twilight_model::gateway::CloseCode;

use super::calls::GatewayInfo;
use super::opening::introduce;
use super::shard::follow;
use super::shards::keep;
use super::{DiscordError, Door, rights};

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
            let id = ShardId::new(n, total);
            let run = || follow(id, config.clone(), Arc::clone(&door), stop.clone());
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

/// What a close that is final means, and what to do; none for any other.
pub(super) fn closed(code: u16) -> Option<DiscordError> {
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
