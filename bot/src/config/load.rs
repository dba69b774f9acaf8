#![allow(clippy::doc_markdown)] // these comments are the help text

use clap::Args;

/// CPU work that is made up, for load tests and the demo.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Made-up load, for tests and the demo")]
pub struct LoadConfig {
    /// Multiplies every cost below: 2 makes the bot twice as slow
    #[arg(long, hide_short_help = true, env = "CHATBOTLER_WORK_SCALE", default_value_t = 1.0, value_parser = cost, value_name = "FACTOR")]
    pub work_scale: f64,

    /// CPU milliseconds of a command
    #[arg(long, hide_short_help = true, env = "CHATBOTLER_COMMAND_MS", default_value_t = 0.0, value_parser = cost, value_name = "MS")]
    pub command_ms: f64,

    /// CPU milliseconds of a talk at value 512; other values cost in proportion
    #[arg(long, hide_short_help = true, env = "CHATBOTLER_CHAT_MS", default_value_t = 0.0, value_parser = cost, value_name = "MS")]
    pub chat_ms: f64,

    /// CPU milliseconds of an animation
    #[arg(long, hide_short_help = true, env = "CHATBOTLER_ANIMATION_MS", default_value_t = 0.0, value_parser = cost, value_name = "MS")]
    pub animation_ms: f64,
}

fn cost(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|n| (0.0..=60_000.0).contains(n))
        .ok_or("write a number from 0 to 60000")
}
