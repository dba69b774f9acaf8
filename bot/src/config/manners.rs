#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// Manners: limits of messages and of people.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Manners")]
pub struct MannersConfig {}
