//! `ChatBotler`: a chat bot that is built to be degraded.
//!
//! # Layout
//!
//! - [`config`]: the command line
//! - `features`: what the bot can do, how dear each thing is, and what less of it means
//! - `flags`: which of it is on, one snapshot per request, from a directory or a watch
//! - `chat`: the core that answers, whatever door the message came through
//! - `queue`: a bounded queue per tier
//! - `work`: the workers that all tiers share, and the cost of things
//! - `metrics`: what Prometheus sees
//! - `http`: the one door so far: the page, `POST /chat`, status, metrics, health

mod chat;
pub mod config;
mod features;
mod flags;
mod http;
mod metrics;
mod queue;
mod run;
mod work;

pub use config::Config;
pub use run::run;
