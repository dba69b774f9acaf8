#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// More than one process: a gateway and workers.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "More than one process")]
pub struct JobsConfig {}
