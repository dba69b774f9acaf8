#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// The model: where it is, its keys and their quotas.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "The model")]
pub struct AiConfig {}
