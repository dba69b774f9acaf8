//! The command line; every option can also be given by the environment.

#![allow(clippy::doc_markdown)] // these comments are the help text, where backticks are noise

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// A chat bot that is built to be degraded.
#[derive(Clone, Debug, Parser)]
#[command(name = "chatbotler", version, args_override_self = true)]
pub struct Config {
    /// Where to serve the page, the chat, metrics and health
    #[arg(
        long,
        env = "CHATBOTLER_LISTEN",
        default_value = "0.0.0.0:8080",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Directory where the flags ConfigMap is mounted
    #[arg(long, env = "CHATBOTLER_FLAGS_DIR", value_name = "DIR")]
    pub flags_dir: Option<PathBuf>,

    /// How often to look into that directory
    #[arg(long, env = "CHATBOTLER_FLAGS_INTERVAL", default_value = "1s", value_parser = duration, value_name = "DURATION")]
    pub flags_interval: Duration,

    /// Name of the flags ConfigMap to watch at the API server
    #[cfg(feature = "watch")]
    #[arg(long, env = "CHATBOTLER_FLAGS_CONFIGMAP", value_name = "NAME")]
    pub flags_configmap: Option<String>,

    /// Namespace of that ConfigMap [default: that of the kubeconfig or the pod]
    #[cfg(feature = "watch")]
    #[arg(
        long,
        env = "CHATBOTLER_FLAGS_NAMESPACE",
        value_name = "NAMESPACE",
        requires = "flags_configmap"
    )]
    pub flags_namespace: Option<String>,

    /// Threads that do the work of all tiers [default: one per core]
    #[arg(long, env = "CHATBOTLER_WORKERS", value_name = "N")]
    pub workers: Option<usize>,

    /// Multiplies every cost below: 2 makes the bot twice as slow
    #[arg(long, env = "CHATBOTLER_WORK_SCALE", default_value_t = 1.0, value_parser = cost, value_name = "FACTOR")]
    pub work_scale: f64,

    /// CPU milliseconds of a command
    #[arg(long, env = "CHATBOTLER_COMMAND_MS", default_value_t = 2.0, value_parser = cost, value_name = "MS")]
    pub command_ms: f64,

    /// CPU milliseconds of a talk at value 512; other values cost in proportion
    #[arg(long, env = "CHATBOTLER_CHAT_MS", default_value_t = 40.0, value_parser = cost, value_name = "MS")]
    pub chat_ms: f64,

    /// CPU milliseconds of an animation
    #[arg(long, env = "CHATBOTLER_ANIMATION_MS", default_value_t = 120.0, value_parser = cost, value_name = "MS")]
    pub animation_ms: f64,

    /// Places in the queue of the critical tier
    #[arg(
        long,
        env = "CHATBOTLER_QUEUE_CRITICAL",
        default_value_t = 256,
        value_name = "N"
    )]
    pub queue_critical: usize,

    /// Places in the queue of the important tier
    #[arg(
        long,
        env = "CHATBOTLER_QUEUE_IMPORTANT",
        default_value_t = 128,
        value_name = "N"
    )]
    pub queue_important: usize,

    /// Places in the queue of the luxury tier
    #[arg(
        long,
        env = "CHATBOTLER_QUEUE_LUXURY",
        default_value_t = 128,
        value_name = "N"
    )]
    pub queue_luxury: usize,

    /// How long a message may take, the time in the queue included
    #[arg(long, env = "CHATBOTLER_DEADLINE", default_value = "20s", value_parser = duration, value_name = "DURATION")]
    pub deadline: Duration,

    /// How long to finish what is under way when told to stop
    #[arg(long, env = "CHATBOTLER_GRACE", default_value = "25s", value_parser = duration, value_name = "DURATION")]
    pub grace: Duration,

    /// What to log: a level, or targets with levels
    #[arg(
        long,
        env = "CHATBOTLER_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log: String,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    brownout::policy::parse_duration(text)
        .map(brownout::time::Span::to_duration)
        .filter(|d| !d.is_zero())
        .ok_or("write a duration such as 500ms, 20s or 1m30s")
}

fn cost(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|n| (0.0..=60_000.0).contains(n))
        .ok_or("write a number from 0 to 60000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_parse() {
        let config = Config::parse_from(["chatbotler"]);
        assert_eq!(config.deadline, Duration::from_secs(20));
        assert!(config.flags_dir.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "--deadline=0s",
            "--deadline=20",
            "--work-scale=-1",
            "--chat-ms=NaN",
            "--workers=x",
        ] {
            assert!(
                Config::try_parse_from(["chatbotler", wrong]).is_err(),
                "{wrong}"
            );
        }
    }
}
