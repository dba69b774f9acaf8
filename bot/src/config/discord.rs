#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// The door to Discord.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The door to Discord")]
pub struct DiscordConfig {}
