#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// Manners: limits of messages and of people.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Manners")]
pub struct MannersConfig {
    /// Characters that a message may have, as people count them
    #[arg(
        long,
        env = "CHATBOTLER_MESSAGE_CHARACTERS",
        default_value_t = 2000,
        value_name = "N"
    )]
    pub message_characters: usize,

    /// Lines that a message may have
    #[arg(
        long,
        env = "CHATBOTLER_MESSAGE_LINES",
        default_value_t = 100,
        value_name = "N"
    )]
    pub message_lines: usize,

    /// Mentions that a message may have
    #[arg(
        long,
        env = "CHATBOTLER_MESSAGE_MENTIONS",
        default_value_t = 8,
        value_name = "N"
    )]
    pub message_mentions: usize,

    /// Messages a minute of one person; 0 is no limit
    ///
    /// Commands have a limit of their own, four times as high.
    #[arg(
        long,
        env = "CHATBOTLER_USER_PER_MINUTE",
        default_value_t = 20,
        value_name = "N"
    )]
    pub user_per_minute: u32,

    /// Messages of one person at once
    #[arg(
        long,
        env = "CHATBOTLER_USER_BURST",
        default_value_t = 8,
        value_name = "N"
    )]
    pub user_burst: u32,

    /// Messages a minute in one channel or thread; 0 is no limit
    ///
    /// Commands have a limit of their own, four times as high.
    #[arg(
        long,
        env = "CHATBOTLER_CHANNEL_PER_MINUTE",
        default_value_t = 90,
        value_name = "N"
    )]
    pub channel_per_minute: u32,

    /// Messages in one channel or thread at once
    #[arg(
        long,
        env = "CHATBOTLER_CHANNEL_BURST",
        default_value_t = 30,
        value_name = "N"
    )]
    pub channel_burst: u32,

    /// Requests a minute to POST /chat from one address; 0 is no limit
    ///
    /// That is the default since behind a proxy all come from one address.
    #[arg(
        long,
        env = "CHATBOTLER_API_PER_MINUTE",
        default_value_t = 0,
        value_name = "N"
    )]
    pub api_per_minute: u32,

    /// Requests to POST /chat from one address at once
    #[arg(
        long,
        env = "CHATBOTLER_API_BURST",
        default_value_t = 10,
        value_name = "N"
    )]
    pub api_burst: u32,

    /// New visitors of the page a minute from one address; 0 is no limit
    ///
    /// A visitor is new whose cookie this process has not heard from. Behind a proxy all come from one address:
    /// there it bounds how many new visitors all of them together are.
    #[arg(
        long,
        env = "CHATBOTLER_NEW_SESSIONS_PER_MINUTE",
        default_value_t = 120,
        value_name = "N"
    )]
    pub new_sessions_per_minute: u32,

    /// New visitors of the page from one address at once
    #[arg(
        long,
        env = "CHATBOTLER_NEW_SESSIONS_BURST",
        default_value_t = 240,
        value_name = "N"
    )]
    pub new_sessions_burst: u32,
}
