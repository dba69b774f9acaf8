//! How the bot is let into a server, told without running it.

use prometheus_client::registry::Registry;
use secrecy::SecretString;

use super::api::Api;
use super::{Discord, DiscordError, DiscordMetrics, rights, token};
use crate::config::DiscordConfig;
use crate::outbound::{Dependency, Limits, OutboundMetrics};

/// The invite link of what these options switch on, with what it asks for and what each of that is for. Discord
/// is asked for the application only where its id is not given.
pub async fn invite(config: &DiscordConfig) -> anyhow::Result<String> {
    let application = match config.application_id {
        Some(id) => id,
        None => match token(config)? {
            Some(token) => application(config, &token).await?,
            None => return Err(DiscordError::WhichApplication.into()),
        },
    };
    Ok(rights::explained(application, config))
}

async fn application(config: &DiscordConfig, token: &SecretString) -> Result<u64, DiscordError> {
    let registry = &mut Registry::default();
    let outbound = OutboundMetrics::new(registry, &Discord::DEPENDENCIES);
    let limited = DiscordMetrics::new(registry).limited;
    let dependencies =
        Discord::DEPENDENCIES.map(|name| Dependency::new(name, Limits::default(), &outbound));
    let api = Api::new(&config.api_url, token, dependencies, limited)?;
    let asked = api.application().await;
    asked.map_err(|error| match error {
        error if error.is_unauthorized() => DiscordError::Token,
        error => DiscordError::Application(error),
    })
}
