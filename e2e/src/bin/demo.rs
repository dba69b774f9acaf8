//! The whole loop in two minutes: a bot under load sheds, keeps what matters, and recovers.
#![allow(
    clippy::print_stdout,
    reason = "summary and addresses are this command's output"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use e2e::demo::{Demo, Options};
use e2e::http::install_tls_provider;
use e2e::progress::{describe, say};
use e2e::run_dir::RunDir;
use e2e::signals::stop_requested;

/// Watch a bot under load lose its luxury, keep its commands and get everything back
#[derive(Parser)]
struct Cli {
    /// Leave everything running afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Draw what happened into this SVG file
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Run operator and bot as processes, also where they could be pods
    #[arg(long)]
    processes: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    install_tls_provider();
    let cli = Cli::parse();
    let run = match RunDir::create() {
        Ok(run) => Arc::new(run),
        Err(error) => return failure(&error),
    };
    // however it ends, what was started ends with it
    let code = tokio::select! {
        biased; // the same Ctrl-C ends a demo that was kept, and that has its verdict already
        played = play(&cli, &run) => played.unwrap_or_else(|error| {
            run.keep_logs();
            say(format!("logs: {}", run.logs().display()));
            failure(&error)
        }),
        stopped = stop_requested() => {
            say("stopping");
            stopped.map_or_else(|error| failure(&error), exit_code)
        }
    };
    run.clean();
    code
}

async fn play(cli: &Cli, run: &Arc<RunDir>) -> Result<ExitCode> {
    let options = Options {
        picture: cli.picture.clone(),
        processes: cli.processes,
    };
    let demo = Demo::play(Arc::clone(run), &options).await?;
    println!("{}", demo.summary);
    let code = judge(&demo, run);
    if cli.keep {
        println!("\nLeft running until Ctrl-C:\n{}", demo.addresses());
        stop_requested().await?;
    } else {
        println!("To talk to the bot yourself: make demo KEEP=1");
    }
    demo.leave().await;
    Ok(code)
}

fn judge(demo: &Demo, run: &RunDir) -> ExitCode {
    if demo.shortcomings.is_empty() {
        println!("The bot shed its luxury, kept its commands and has everything back.");
        return ExitCode::SUCCESS;
    }
    run.keep_logs();
    for shortcoming in &demo.shortcomings {
        say(format!("not as it should be: {shortcoming}"));
    }
    say(format!("logs: {}", run.logs().display()));
    ExitCode::FAILURE
}

fn failure(error: &anyhow::Error) -> ExitCode {
    say(format!("error: {}", describe(error)));
    ExitCode::FAILURE
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
