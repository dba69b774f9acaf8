//! The benchmarks that need real servers: figures on stdout, nothing is judged.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use e2e::bench::{self, Plan};
use e2e::http::install_tls_provider;
use e2e::progress::{describe, say};
use e2e::run_dir::RunDir;
use e2e::signals::stop_requested;

/// What Brownout costs and how quick it is; build the operator with --release first
#[derive(Parser)]
struct Cli {
    /// How many policies make a crowd; 0 leaves that part out
    #[arg(long, default_value_t = 1000)]
    policies: u32,
    /// For how many seconds the crowd is watched
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many escalations are timed; 0 leaves that part out
    #[arg(long, default_value_t = 60)]
    transitions: usize,
    /// How many changes of leader are timed, of each kind; 0 leaves that part out
    #[arg(long, default_value_t = 4)]
    takeovers: usize,
    /// For how many seconds the bot's gateway and workers are watched; 0 leaves that part out
    #[arg(long, default_value_t = 180)]
    soak: u64,
    /// Leave out what is measured in pods
    #[arg(long)]
    no_pods: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    install_tls_provider();
    let cli = Cli::parse();
    match measure(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format!("error: {}", describe(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Whatever happens, the run's folder ends what was started when it is dropped.
async fn measure(cli: &Cli) -> Result<()> {
    let run = Arc::new(RunDir::create()?);
    let plan = Plan {
        policies: cli.policies,
        watched: Duration::from_secs(cli.seconds),
        transitions: cli.transitions,
        takeovers: cli.takeovers,
        pods: !cli.no_pods,
        soak: Duration::from_secs(cli.soak),
    };
    tokio::select! {
        measured = bench::run(Arc::clone(&run), &plan) => measured.inspect_err(|_| {
            run.keep_logs();
            say(format!("logs: {}", run.logs().display()));
        }),
        stopped = stop_requested() => stopped.map(|_| ()),
    }
}
