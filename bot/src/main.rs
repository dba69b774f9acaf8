//! The command `chatbotler`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use chatbotler::Ended;
use chatbotler::config::{Cli, Command};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Not success, so that what looks after the process starts it again: `EX_TEMPFAIL` of `sysexits.h`.
const REBOOT: u8 = 75;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed already"))?;

    let Cli { command, config } = Cli::parse();
    match command {
        None => {}
        Some(Command::Capacity(question)) => {
            return Ok(say(&chatbotler::capacity::answer(&question)));
        }
        Some(Command::Invite(options)) => {
            return Ok(say(&chatbotler::invite(&options).await?));
        }
    }
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::try_new(&config.log).context("--log")?)
        .with_writer(std::io::stderr)
        .init();

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    // boxed: it is large, and nothing else runs here
    let ended = Box::pin(chatbotler::run(config, listener, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }));
    Ok(match ended.await? {
        Ended::Stopped => ExitCode::SUCCESS,
        Ended::Rebooting => ExitCode::from(REBOOT),
    })
}

fn say(answer: &str) -> ExitCode {
    // whoever reads may have closed the pipe
    let _ = std::io::stdout().write_all(answer.as_bytes());
    ExitCode::SUCCESS
}
