//! The command line: one file per command. Data goes to stdout, talk to stderr.

mod checks;
mod controller;
mod crd;
mod election;
mod replay;

use std::process::ExitCode;

use anyhow::Context;
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
    Controller(Box<controller::Args>),
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
        Command::Controller(args) => controller::run(*args).await,
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
fn print(data: &str) -> anyhow::Result<()> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout();
    match out.write_all(data.as_bytes()).and_then(|()| out.flush()) {
        // a reader that has seen enough closes the pipe: that is a graceful end
        Err(err) if err.kind() != ErrorKind::BrokenPipe => {
            Err(err).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}

/// Talk, for people.
#[allow(clippy::print_stderr)] // the one place that talks
fn tell(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Comments become help, and a terminal shows Markdown as it is written.
    #[test]
    fn no_help_shows_markdown() {
        let mut commands = vec![Cli::command()];
        let mut seen = 0;
        while let Some(mut command) = commands.pop() {
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                let marks: Vec<&str> = help
                    .lines()
                    .filter(|line| line.contains('`') || line.contains("**") || line.contains("]("))
                    .collect();
                assert!(marks.is_empty(), "{}: {marks:#?}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
            seen += 1;
        }
        assert!(seen >= 4, "the command itself and three more");
    }
}
