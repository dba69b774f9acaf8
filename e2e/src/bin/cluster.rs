//! The local cluster by hand: build its servers, or bring it up and leave it up.
#![allow(clippy::print_stdout, reason = "addresses are this command's output")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, Subcommand};
use e2e::environment::Environment;
use e2e::http::install_tls_provider;
use e2e::node;
use e2e::progress::{describe, say};
use e2e::run_dir::RunDir;
use e2e::signals::stop_requested;
use e2e::tools::{Tool, find_or_build_all};

/// The local cluster that demo, tests and benchmarks run on
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the servers that are not there yet
    Build,
    /// Bring up a cluster and a Prometheus until Ctrl-C
    Up {
        /// With a node that runs pods
        #[arg(long)]
        node: bool,
        /// An image that pods can use: what `docker save` wrote
        #[arg(long, value_name = "ARCHIVE", requires = "node")]
        image: Vec<PathBuf>,
    },
    /// Succeed if a node that runs pods can be run here, else say why not
    CanRunPods,
}

#[tokio::main]
async fn main() -> ExitCode {
    install_tls_provider();
    let result = match Cli::parse().command {
        Command::Build => build().await,
        Command::Up { node, image } => up(node, &image).await,
        Command::CanRunPods => node::possible().map_err(anyhow::Error::msg),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format!("error: {}", describe(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn build() -> Result<()> {
    let mut tools = Tool::ALL.to_vec();
    if let Err(why) = node::possible() {
        say(format!("leaving out what only a node needs: {why}"));
        tools.retain(|tool| !Tool::NODE.contains(tool));
    }
    for (tool, path) in find_or_build_all(&tools).await? {
        println!("{} {}", tool.name(), path.display());
    }
    Ok(())
}

/// Whatever happens, the run's folder ends what was started when it is dropped.
async fn up(with_node: bool, images: &[PathBuf]) -> Result<()> {
    let run = Arc::new(RunDir::create()?);
    let start = async {
        if !with_node {
            return Environment::start(Arc::clone(&run)).await;
        }
        let environment = Environment::start_with_node(Arc::clone(&run)).await?;
        for archive in images {
            for name in environment.cluster.node()?.import(archive).await? {
                say(format!("imported {name}"));
            }
        }
        Ok(environment)
    };
    let environment = tokio::select! {
        started = start => started.inspect_err(|_| run.keep_logs())?,
        stopped = stop_requested() => return stopped.map(|_| ()),
    };
    println!(
        "export KUBECONFIG={}",
        environment.cluster.kubeconfig().display()
    );
    println!("export PROMETHEUS_URL={}", environment.prometheus.url());
    say(format!("logs: {}", run.logs().display()));
    say("up until Ctrl-C");
    stop_requested().await?;
    say("stopping");
    environment.stop();
    Ok(())
}
