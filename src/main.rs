//! The command `brownout`.

use std::process::ExitCode;

use brownout::cli::{self, Cli};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    brownout::tls::install();
    cli::run(Cli::parse()).await
}
