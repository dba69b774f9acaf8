//! The command line; every option can also be given by the environment. One file per group.

#![allow(clippy::doc_markdown)] // these comments are the help text, where backticks are noise

mod ai;
mod capacity;
mod discord;
mod flags;
mod jobs;
mod load;
mod logs;
mod manners;
mod pools;
mod store;
mod web;

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub use ai::AiConfig;
pub use capacity::{CapacityConfig, Output};
pub use discord::DiscordConfig;
pub use flags::{FlagsConfig, FlagsDefault};
pub use jobs::{JobsConfig, Role};
pub use load::LoadConfig;
pub use logs::LogsConfig;
pub use manners::MannersConfig;
pub use pools::PoolsConfig;
pub use store::StoreConfig;
pub use web::WebConfig;

/// Said once, rather than at each option.
const AFTER_HELP: &str = "\
Each option can be given by the environment, too: --flags-dir is CHATBOTLER_FLAGS_DIR. Secrets are best given that way, \
or as a file.";

/// A chat bot that is built to be degraded
///
/// Without options it needs nothing: no token, no model, no network. Run it and open http://localhost:8080/ to talk to
/// it. What it remembers is then in ./chatbotler.db.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "chatbotler",
    version,
    args_override_self = true,
    // an option before the subcommand would say nothing to it
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP,
    mut_args = |arg| arg.hide_env(true)
)]
pub struct Cli {
    /// What to do instead of running the bot
    #[command(subcommand)]
    pub command: Option<Command>,

    /// How to run it
    #[command(flatten)]
    pub config: Config,
}

/// What the command does besides running the bot.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Tell whether the model's quotas hold a number of people
    ///
    /// And where they do not: how many keys or what plan would, and what a policy can save.
    Capacity(CapacityConfig),

    /// Print the link that lets the bot into a server, and what it asks for
    ///
    /// Give the options that you run the bot with: the link holds the permissions of what they switch on, and no
    /// others. Nothing is run or changed; Discord is asked for the application's id only if you give the token rather
    /// than the id.
    #[command(
        after_long_help = INVITE_HELP,
        mut_args = |arg| arg.hide_env(true)
    )]
    Invite(DiscordConfig),
}

const INVITE_HELP: &str = "\
Example: a bot that talks in threads and hands out roles, by the id that stands on the page \"General Information\" of \
your application at https://discord.com/developers/applications:

  chatbotler invite --discord-application-id 1234567890 --discord-threads --discord-roles

Open the printed link as somebody who manages a server. When you switch on more later, open the new link again: \
the bot keeps what it has, and gets what is missing.";

/// How the bot is run.
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

    /// How long to finish what is under way when told to stop
    #[arg(long, env = "CHATBOTLER_GRACE", default_value = "25s", value_parser = duration, value_name = "DURATION")]
    pub grace: Duration,

    /// How long to go on when told to stop, not ready any more, until all who send know
    #[arg(long, env = "CHATBOTLER_DRAIN_DELAY", value_parser = duration, value_name = "DURATION")]
    pub drain_delay: Option<Duration>,

    /// What to log: a level, or targets with levels
    #[arg(
        long,
        env = "CHATBOTLER_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log: String,

    /// Which features are on
    #[command(flatten)]
    pub flags: FlagsConfig,

    /// The page and the moderators' desk
    #[command(flatten)]
    pub web: WebConfig,

    /// Discord
    #[command(flatten)]
    pub discord: DiscordConfig,

    /// The model
    #[command(flatten)]
    pub ai: AiConfig,

    /// What is remembered
    #[command(flatten)]
    pub store: StoreConfig,

    /// Who works, and who waits
    #[command(flatten)]
    pub pools: PoolsConfig,

    /// Manners
    #[command(flatten)]
    pub manners: MannersConfig,

    /// What the logs may hold
    #[command(flatten)]
    pub logs: LogsConfig,

    /// More than one process
    #[command(flatten)]
    pub jobs: JobsConfig,

    /// Made-up load
    #[command(flatten)]
    pub load: LoadConfig,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    brownout::policy::parse_duration(text)
        .map(brownout::time::Span::to_duration)
        .filter(|d| !d.is_zero())
        .ok_or("write a duration such as 500ms, 20s or 1m30s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_parse() {
        let config = Config::parse_from(["chatbotler"]);
        assert_eq!(config.pools.deadline, Duration::from_secs(20));
        assert!(config.flags.dir.is_none());
    }

    #[test]
    fn the_command_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    /// The help says once how options are given by the environment, and can be read in a terminal.
    #[test]
    fn the_help_is_short_and_true() {
        let command = <Cli as clap::CommandFactory>::command();
        for option in command.get_arguments() {
            let long = option.get_long().unwrap();
            let first = option.get_help().map(ToString::to_string);
            let first = first.unwrap_or_else(|| panic!("--{long} has no help"));
            assert!(
                first.len() <= 90 && !first.ends_with('.'),
                "--{long}: {first}"
            );
            if let Some(variable) = option.get_env() {
                let named = format!("CHATBOTLER_{}", long.to_uppercase().replace('-', "_"));
                assert_eq!(variable.to_str(), Some(named.as_str()));
            }
        }
    }

    #[test]
    fn without_a_subcommand_the_bot_runs() {
        let cli = Cli::parse_from([
            "chatbotler",
            "--ai-url=http://localhost/v1/",
            "--ai-model=m",
        ]);
        assert!(cli.command.is_none());
        assert_eq!(cli.config.ai.url.as_deref(), Some("http://localhost/v1"));
        let cli = Cli::parse_from([
            "chatbotler",
            "capacity",
            "--users=2",
            "--lines=3",
            "--hours=1",
        ]);
        assert!(matches!(cli.command, Some(Command::Capacity(_))));
        let words = ["chatbotler", "--discord-threads", "invite"];
        assert!(Cli::try_parse_from(words).is_err());
    }

    /// One of the two would be ignored.
    #[test]
    fn one_pool_and_a_pool_per_tier_are_not_asked_for_together() {
        for tier in ["critical", "important", "luxury"] {
            let own = format!("--workers-{tier}=1");
            let refused = Cli::try_parse_from(["chatbotler", "--workers=2", &own]).unwrap_err();
            assert!(refused.to_string().contains(&own[..own.len() - 2]));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "--deadline=0s",
            "--deadline=20",
            "--work-scale=-1",
            "--chat-ms=NaN",
            "--workers=x",
            "--flags-default=some",
            "--ai-url=https://example.com/v1",
            "--ai-url=https://me:secret@example.com/v1 --ai-model=m",
            "--ai-quota-hour=0",
            "--role=boss",
            "--worker-tiers=critical,cheap",
            "--gateway-id=a.b",
            "--jobs-max=0",
        ] {
            assert!(
                Config::try_parse_from(["chatbotler"].into_iter().chain(wrong.split(' '))).is_err(),
                "{wrong}"
            );
        }
    }
}
