#![allow(clippy::doc_markdown)] // these comments are the help text

use std::time::Duration;

use brownout::policy::Tier;
use clap::{Args, ValueEnum};
use secrecy::SecretString;

use super::duration;

/// More than one process: a gateway and workers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "More than one process")]
pub struct JobsConfig {
    /// What this process does: everything, the doors, or the work
    #[arg(
        long,
        env = "CHATBOTLER_ROLE",
        default_value = "all",
        value_name = "ROLE"
    )]
    pub role: Role,

    /// The NATS server between gateway and workers
    ///
    /// With JetStream, as in nats://USER:PASSWORD@HOST:4222; of a cluster one is enough, and more are told with
    /// commas between them.
    #[arg(
        long,
        env = "CHATBOTLER_NATS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub nats_url: Option<SecretString>,

    /// The tiers that a worker takes jobs of
    ///
    /// A core-worker takes critical,important and a luxury-worker luxury.
    #[arg(
        long,
        env = "CHATBOTLER_WORKER_TIERS",
        default_value = "critical,important,luxury",
        value_delimiter = ',',
        value_parser = tier,
        value_name = "TIERS"
    )]
    pub worker_tiers: Vec<Tier>,

    /// The name by which workers answer a gateway; unique [default: drawn at the start]
    #[arg(long, env = "CHATBOTLER_GATEWAY_ID", value_parser = token, value_name = "ID")]
    pub gateway_id: Option<String>,

    /// Jobs of each tier that the queue holds, those being done included
    #[arg(
        long,
        env = "CHATBOTLER_JOBS_MAX",
        default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        value_name = "N"
    )]
    pub jobs_max: u32,

    /// Servers of a NATS cluster that keep the queue: 1, 3 or 5
    ///
    /// A gateway brings the queue up to it. With 3, one server may be lost and nothing that was accepted is.
    #[arg(
        long,
        env = "CHATBOTLER_NATS_REPLICAS",
        default_value = "1",
        value_parser = replicas,
        value_name = "N"
    )]
    pub nats_replicas: usize,

    /// How long a worker may be silent about a job before another gets it
    #[arg(long, env = "CHATBOTLER_ACK_WAIT", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub ack_wait: Duration,

    /// How long a job of the luxury tier may wait to be taken
    ///
    /// Without a luxury-worker, answers go without their animation after that.
    #[arg(long, env = "CHATBOTLER_LUXURY_PATIENCE", default_value = "1s", value_parser = duration, value_name = "DURATION")]
    pub luxury_patience: Duration,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything, in one process: nothing else is needed.
    All,
    /// The doors: it takes messages in and has workers answer them.
    Gateway,
    /// The work: it takes jobs from the queue.
    Worker,
}

fn tier(text: &str) -> Result<Tier, &'static str> {
    match text.trim() {
        "critical" => Ok(Tier::Critical),
        "important" => Ok(Tier::Important),
        "luxury" => Ok(Tier::Luxury),
        _ => Err("write critical, important or luxury, with commas between them"),
    }
}

/// With an even number no more servers may be lost than with one less.
fn replicas(text: &str) -> Result<usize, &'static str> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("write 1, 3 or 5"),
    }
}

/// It becomes part of a subject, where dots, wildcards and spaces have a meaning.
fn token(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("write up to 64 letters, digits, - and _")
    }
}
