//! The command `brownout`.

use std::process::ExitCode;

use brownout::cli::{self, Cli};
use clap::Parser;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    brownout::tls::install();
    cli::run(Cli::parse()).await
}
