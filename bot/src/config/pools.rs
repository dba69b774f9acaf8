#![allow(clippy::doc_markdown)] // these comments are the help text

use std::time::Duration;

use brownout::policy::Tier;
use clap::Args;

use super::duration;

/// Who works, and who waits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Pools and queues")]
pub struct PoolsConfig {
    /// Requests of the critical tier that are worked on at once
    #[arg(
        long,
        env = "CHATBOTLER_WORKERS_CRITICAL",
        default_value_t = 16,
        value_name = "N"
    )]
    pub workers_critical: usize,

    /// Requests of the important tier that are worked on at once
    #[arg(
        long,
        env = "CHATBOTLER_WORKERS_IMPORTANT",
        default_value_t = 16,
        value_name = "N"
    )]
    pub workers_important: usize,

    /// Requests of the luxury tier that are worked on at once
    #[arg(
        long,
        env = "CHATBOTLER_WORKERS_LUXURY",
        default_value_t = 4,
        value_name = "N"
    )]
    pub workers_luxury: usize,

    /// One pool of this many for all tiers, instead of one each
    ///
    /// As most bots are built: to see what the pools are worth.
    #[arg(
        long,
        env = "CHATBOTLER_WORKERS",
        value_name = "N",
        conflicts_with_all = ["workers_critical", "workers_important", "workers_luxury"]
    )]
    pub workers: Option<usize>,

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
}

impl PoolsConfig {
    /// How many requests of a tier are worked on at once.
    pub(crate) fn at_once(&self, tier: Tier) -> usize {
        self.workers.unwrap_or(match tier {
            Tier::Critical => self.workers_critical,
            Tier::Important => self.workers_important,
            Tier::Luxury => self.workers_luxury,
        })
    }
}
