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
    let mut shards = JoinSet::new();
    for n in 0..total {
        let id = ShardId::new(n, total);
        shards.spawn(follow(id, config.clone(), Arc::clone(door), stop.clone()));
    }
    while let Some(ended) = shards.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(error) => tracing::error!(%error, "a shard ended by an error of ours"),
        }
    }
    Ok(())
}

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

/// What a close that is final means, and what to do.
pub(super) fn closed(code: Option<u16>) -> DiscordError {
    let code = code.unwrap_or_default();
    let advice = match CloseCode::try_from(code) {
        Ok(CloseCode::AuthenticationFailed) => return DiscordError::Token,
        Ok(CloseCode::DisallowedIntents) => {
            "switch on \"Message Content Intent\" on the page \"Bot\" of your application, or leave out --discord-message-content"
        }
        Ok(CloseCode::ShardingRequired) => {
            "it is in too many servers for one connection: raise --discord-shards, or leave it out"
        }
        Ok(CloseCode::InvalidShard) => "correct --discord-shards, or leave it out",
        Ok(CloseCode::InvalidIntents | CloseCode::InvalidApiVersion) => {
            "this version of the bot is too old for it"
        }
        _ => "it gives no reason that we know",
    };
    DiscordError::Closed { code, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_final_says_what_to_do() {
        assert!(matches!(closed(Some(4004)), DiscordError::Token));
        let intents = closed(Some(4014)).to_string();
        assert!(intents.contains("--discord-message-content"), "{intents}");
        let shards = closed(Some(4011)).to_string();
        assert!(shards.contains("--discord-shards"), "{shards}");
        assert!(!closed(None).to_string().is_empty());
    }
}
