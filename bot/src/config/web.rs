#![allow(clippy::doc_markdown)] // these comments are the help text

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::duration;

/// The page and the moderators' desk.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Page and moderators")]
pub struct WebConfig {
    /// File that holds the secret by which moderators log in at /desk
    ///
    /// At least 16 characters. Programs bring it to POST /chat as "Authorization: Bearer SECRET". The environment
    /// variable CHATBOTLER_MODERATOR_TOKEN holds the secret itself. Without either, nobody can log in.
    #[arg(
        long,
        env = "CHATBOTLER_MODERATOR_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "moderator_token"
    )]
    pub moderator_token_file: Option<PathBuf>,

    /// The same, given by the environment: an argument is seen by everybody on the machine
    #[arg(
        long,
        hide = true,
        env = "CHATBOTLER_MODERATOR_TOKEN",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub moderator_token: Option<SecretString>,

    /// Pages that are kept up to date at once; others ask every few seconds
    #[arg(
        long,
        env = "CHATBOTLER_PAGE_STREAMS",
        default_value_t = 256,
        value_name = "N"
    )]
    pub page_streams: usize,

    /// How long a page is kept up to date before it has to come again
    ///
    /// Who is gone without a word keeps a place no longer than that. A page comes again by itself, unnoticed.
    #[arg(long, env = "CHATBOTLER_PAGE_STREAM_AGE", default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub page_stream_age: Duration,

    /// Connections at once, pages' included; who comes then waits until one ends
    #[arg(
        long,
        env = "CHATBOTLER_CONNECTIONS",
        default_value = "1024",
        value_name = "N"
    )]
    pub connections: NonZeroUsize,

    /// How long a connection may be open without the head of a request
    ///
    /// And how long it may take nothing of what it is answered.
    #[arg(long = "connection-silence", env = "CHATBOTLER_CONNECTION_SILENCE", default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub silence: Duration,

    /// The page is reached by HTTPS, through a proxy
    ///
    /// Its cookies then go no other way.
    #[arg(long, env = "CHATBOTLER_PAGE_HTTPS")]
    pub page_https: bool,
}
