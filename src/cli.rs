//! The command line: one file per command. Data goes to stdout, talk to stderr.

mod controller;
mod crd;
mod replay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Autonomous degradation controller for bots on Kubernetes: sheds what a bot can live without while it
/// is overloaded, and brings it back by itself.
#[derive(Debug, Parser)]
#[command(name = "brownout", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator
    Controller(controller::Args),
    /// Print the custom resource definitions, for kubectl apply
    Crd(crd::Args),
    /// Show what a policy would have done over recorded series
    Replay(replay::Args),
}

/// Exit code of a command that could not do its work.
const COULD_NOT_RUN: u8 = 2;

/// Runs the command; errors go to stderr, with their causes.
pub async fn run(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Controller(args) => controller::run(args).await,
        Command::Crd(args) => crd::run(&args),
        Command::Replay(args) => replay::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            tell(&format!("error: {err:#}"));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// Data, for pipes and files.
#[allow(clippy::print_stdout)] // the one place that writes data
fn print(data: &str) {
    use std::io::Write;
    // A reader that has seen enough closes the pipe: that is a graceful end.
    let _ = std::io::stdout().write_all(data.as_bytes());
}

/// Talk, for people.
#[allow(clippy::print_stderr)] // the one place that talks
fn tell(line: &str) {
    eprintln!("{line}");
}
