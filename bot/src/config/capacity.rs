#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::{Args, ValueEnum};

/// What to estimate.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = "\
People come together for a session of --hours, in which each of them writes --lines lines, and every line costs one \
request. --sessions such sessions a day on --days days make a month. \
They are spread over the day, and overlap where they last too long for that. Quotas are per key.

Example: twenty people who write 25 lines each in two hours, with a key for 300 requests an hour and 900 a month:

  chatbotler capacity --users 20 --lines 25 --hours 2 --quota-hour 300 --quota-month 900

250 an hour fits 300; but 500 a day are 15,000 a month, 16.7 times the quota of 900, which is out on the second day. \
The plan tells what would hold it, and the policy what to turn off before the quota is gone.")]
pub struct CapacityConfig {
    /// How many people talk to the bot in a session
    #[arg(long, value_parser = count, value_name = "N")]
    pub users: u64,

    /// How many lines each of them writes in a session
    #[arg(long, value_parser = count, value_name = "N")]
    pub lines: u64,

    /// How long a session lasts, in hours
    #[arg(long, value_parser = hours, value_name = "HOURS")]
    pub hours: f64,

    /// Sessions a day
    #[arg(long, default_value_t = 1, value_parser = count, value_name = "N")]
    pub sessions: u64,

    /// Days a month on which there are any
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=31), value_name = "N")]
    pub days: u64,

    /// Keys that the bot has
    #[arg(long, default_value_t = 1, value_parser = count, value_name = "N")]
    pub keys: u64,

    /// Requests per key and hour, as in --ai-quota-hour [default: no limit]
    #[arg(long, value_parser = count, value_name = "N")]
    pub quota_hour: Option<u64>,

    /// Requests per key and month, as in --ai-quota-month [default: no limit]
    #[arg(long, value_parser = count, value_name = "N")]
    pub quota_month: Option<u64>,

    /// How to answer
    #[arg(short, long, default_value = "text", value_name = "FORMAT")]
    pub output: Output,
}

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Words and numbers
    Text,
    /// For programs
    Json,
}

fn count(text: &str) -> Result<u64, &'static str> {
    text.parse()
        .ok()
        .filter(|n| (1..=1_000_000).contains(n))
        .ok_or("write a number from 1 to 1000000")
}

fn hours(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|hours| (0.1..=24.0).contains(hours))
        .ok_or("write hours from 0.1 to 24, such as 2 or 1.5")
}
