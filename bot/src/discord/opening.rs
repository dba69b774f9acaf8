//! What comes before the first session: where the gateway is, who we are, whom to invite, which commands there are.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::calls::GatewayInfo;
use super::{ApiError, DiscordError, Door, rights, slash};

/// Asks where the gateway is and who we are, says how to invite the bot, and sees to its commands. A Discord that is down
/// at our start is waited for: the other doors are open.
pub(super) async fn introduce(door: &Arc<Door>) -> Result<GatewayInfo, DiscordError> {
    let info = patiently(|| door.api.gateway()).await?;
    let me = patiently(|| door.api.me()).await?;
    let _ = door.me.set(me); // whoever was quicker was told the same
    let application = match door.config.application_id {
        Some(id) => id,
        None => patiently(|| door.api.application()).await?,
    };
    let invite = rights::invite(application, &door.config);
    let asks = rights::reasons(&door.config);
    tracing::info!(invite, asks, "whoever manages a server can invite the bot");
    let registrar = Arc::clone(door);
    door.tasks.spawn(async move {
        if let Err(error) = register(&registrar, application).await {
            tracing::warn!(%error, "the slash commands are not registered");
        }
    });
    Ok(info)
}

/// Writes nothing when nothing has changed.
async fn register(door: &Door, application: u64) -> Result<(), ApiError> {
    let guild = door.config.guild;
    let wanted = slash::commands();
    let registered = door.api.commands(application, guild).await?;
    if slash::up_to_date(&registered, &wanted) {
        return Ok(());
    }
    tracing::info!(commands = wanted.len(), "registering the slash commands");
    door.api.set_commands(application, guild, &wanted).await
}

/// Until it works, or the token is refused.
async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, DiscordError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let mut waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_mins(1))
        .with_jitter()
        .without_max_times()
        .build();
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if error.is_unauthorized() => return Err(DiscordError::Token),
            Err(error) => {
                let wait = waits.next().unwrap_or(Duration::from_mins(1));
                tracing::warn!(%error, ?wait, "Discord is not to be had; once more");
                tokio::time::sleep(wait).await;
            }
        }
    }
}
