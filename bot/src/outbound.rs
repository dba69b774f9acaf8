//! Every call to somebody else goes through here: timeout, circuit breaker, retries within a budget,
//! rate limit, bulkhead.
//!
//! - `dependency`: [`Dependency::call`], which puts the rest together
//! - `breaker`: leaves alone who fails too often or is too slow
//! - `budget`: how many retries there may be
//! - `pace`: our rate limit towards the callee, and the pauses that it asks for
//! - `fault`: what may go wrong, in the words of the callee and of the caller
//! - `http`: what that is in HTTP; `retry_after`: how long to wait then
//! - `limits`: what is set for each dependency
//! - `metrics`: its series
//!
//! What is pure takes `now` as a parameter; only `dependency` and `http` wait.

mod breaker;
mod budget;
mod dependency;
mod fault;
mod http;
mod limits;
mod metrics;
mod pace;
mod retry_after;
#[cfg(test)]
mod tests;

pub(crate) use dependency::Dependency;
pub(crate) use fault::{CallError, Fault};
pub(crate) use http::{Answer, HttpClient, HttpLimits};
pub(crate) use limits::{BreakerLimits, Limits, RateLimit};
pub(crate) use metrics::OutboundMetrics;
