#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;
use secrecy::SecretString;

/// What the logs may hold.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogsConfig {
    /// Secret by which people and channels are hashed in the logs [default: drawn at the start]
    ///
    /// With it their hashes are the same after a restart and in each replica. At least 16 characters.
    #[arg(
        long,
        env = "CHATBOTLER_LOG_USER_KEY",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub log_user_key: Option<SecretString>,

    /// Log what people say; only with their knowledge
    #[arg(long, env = "CHATBOTLER_LOG_TEXT")]
    pub log_text: bool,
}
