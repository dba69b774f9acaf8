#![allow(clippy::doc_markdown)] // these comments are the help text

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::duration;

/// What is remembered, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreConfig {
    /// Where settings, reminders, quotas and history are kept
    ///
    /// sqlite:FILE?mode=rwc for one process, postgres://USER:PASSWORD@HOST/DATABASE for more than one replica,
    /// sqlite::memory: to try something: it is gone with the process.
    #[arg(
        long = "store",
        env = "CHATBOTLER_STORE",
        default_value = "sqlite:chatbotler.db?mode=rwc",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: SecretString,

    /// How long a due reminder belongs to the process that took it
    ///
    /// So long a crash may delay it.
    #[arg(long, env = "CHATBOTLER_REMINDER_LEASE", default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub reminder_lease: Duration,
}
