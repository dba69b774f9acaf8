#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// What is remembered, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreConfig {
    /// Where settings, reminders, quotas and history are kept: `sqlite:FILE?mode=rwc`, `sqlite::memory:` (gone
    /// with the process) or `postgres://USER:PASSWORD@HOST/DATABASE` (for more than one replica)
    #[arg(
        long = "store",
        env = "CHATBOTLER_STORE",
        default_value = "sqlite:chatbotler.db?mode=rwc",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: String,
}
