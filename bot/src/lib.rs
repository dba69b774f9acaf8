//! `ChatBotler`: a chat bot that is built to be degraded.
//!
//! # Layout
//!
//! - [`config`]: the command line
//! - `features`: what the bot can do, how dear each thing is, and what less of it means
//! - `flags`: which of it is on, one snapshot per request, from a directory, a watch or an
//!   `OpenFeature` provider
//! - `chat`: the core that answers, whatever door the message came through
//! - `pools`: bulkheads, a pool and a bounded queue per tier
//! - `work`: made-up load, for tests and the demo
//! - `metrics`: what Prometheus sees
//! - `logs`: one line per request, and nobody's words in it
//! - `manners`: what is cleaned, what is ignored, how much is too much
//! - `ai`: the model, its keys and quotas; `capacity`: what a number of people needs
//! - `outbound`: every call to somebody else
//! - `store`: what is remembered; `deliver`: what is said unasked
//! - `stops`, `reminders`, `activity`: what lives from it
//! - `discord`, `http`: the doors; `guild`: the roles of a server
//! - `jobs`: more than one process
//! - `message`, `ask`: what came in, and what it asks for; `hex`: bytes in digits; `later`: what an answer does not wait for

mod activity;
mod ai;
mod ask;
pub mod capacity;
mod chat;
pub mod config;
mod deliver;
mod discord;
mod features;
mod flags;
mod guild;
mod hex;
mod http;
mod jobs;
mod later;
#[cfg(test)]
mod leaving;
mod logs;
mod manners;
mod message;
mod metrics;
mod outbound;
mod pools;
mod reminders;
mod run;
mod stops;
mod store;
mod work;

pub use config::Config;
pub use discord::invite;
pub use run::{Ended, Given, run, run_with};
