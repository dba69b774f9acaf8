#![allow(clippy::doc_markdown)] // these comments are the help text

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// The door to Discord.
#[allow(clippy::struct_excessive_bools)] // each is an option by itself
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Discord")]
pub struct DiscordConfig {
    /// File that holds the bot's token; without one, the bot is not on Discord
    #[arg(
        long = "discord-token-file",
        env = "CHATBOTLER_DISCORD_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,

    /// The bot's token itself. Better as a file or by the environment: others see command lines
    #[arg(
        long = "discord-token",
        env = "CHATBOTLER_DISCORD_TOKEN",
        hide_env_values = true,
        hide = true,
        value_name = "TOKEN"
    )]
    pub token: Option<SecretString>,

    /// Id of the application, for the invite link [default: asked of Discord]
    #[arg(
        long = "discord-application-id",
        env = "CHATBOTLER_DISCORD_APPLICATION_ID",
        value_name = "ID"
    )]
    pub application_id: Option<u64>,

    /// Ids of the roles that make a moderator
    #[arg(
        long = "discord-moderator-roles",
        env = "CHATBOTLER_DISCORD_MODERATOR_ROLES",
        value_delimiter = ',',
        value_name = "ID,…"
    )]
    pub moderator_roles: Vec<u64>,

    /// Hear text commands, and talk in its own threads without being mentioned
    ///
    /// Needs the privileged intent "Message Content". Without it slash commands, mentions, replies and direct messages
    /// are heard.
    #[arg(
        long = "discord-message-content",
        env = "CHATBOTLER_DISCORD_MESSAGE_CONTENT"
    )]
    pub message_content: bool,

    /// Talk in a thread for each person, rather than by replies
    #[arg(long = "discord-threads", env = "CHATBOTLER_DISCORD_THREADS")]
    pub threads: bool,

    /// Nod at what was answered with an emoji
    #[arg(long = "discord-reactions", env = "CHATBOTLER_DISCORD_REACTIONS")]
    pub reactions: bool,

    /// Let people take and give back the roles that moderators have allowed
    #[arg(long = "discord-roles", env = "CHATBOTLER_DISCORD_ROLES")]
    pub roles: bool,

    /// Shards of the gateway [default: as many as Discord recommends]
    #[arg(
        long = "discord-shards",
        env = "CHATBOTLER_DISCORD_SHARDS",
        value_parser = clap::value_parser!(u32).range(1..=1024),
        value_name = "N"
    )]
    pub shards: Option<u32>,

    /// Server to register the commands in, rather than everywhere
    ///
    /// There they appear at once.
    #[arg(
        long = "discord-guild",
        env = "CHATBOTLER_DISCORD_GUILD",
        value_name = "ID"
    )]
    pub guild: Option<u64>,

    /// Where Discord's API is
    #[arg(
        long = "discord-api-url",
        env = "CHATBOTLER_DISCORD_API_URL",
        default_value = "https://discord.com/api/v10",
        hide = true,
        value_name = "URL"
    )]
    pub api_url: String,

    /// Where Discord's gateway is [default: asked of the API]
    #[arg(
        long = "discord-gateway-url",
        env = "CHATBOTLER_DISCORD_GATEWAY_URL",
        hide = true,
        value_name = "URL"
    )]
    pub gateway_url: Option<String>,
}
