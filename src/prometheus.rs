//! Asking Prometheus: signals as queries, answers as readings, and the poller that does the asking.
//!
//! - [`signals`]: a policy's signals as `PromQL`, or why they cannot be
//! - [`check`]: what a query must be to be a signal
//! - [`tenancy`]: queries that read only what is their namespace's
//! - [`answer`]: what a server said, as a [`Reading`](crate::decide::Reading)
//! - `client`: one request to one source, bounded in time and bytes
//! - `poller`: one task per source that asks for all policies at once
//!
//! Without the `operator` feature this is pure: it parses, builds, prints and decodes.

pub mod answer;
pub mod check;
pub mod matchers;
pub mod observed;
pub mod promql;
pub mod query;
pub mod signals;
mod templates;
pub mod tenancy;
pub mod trust;
mod walk;

#[cfg(feature = "operator")]
pub mod access;
#[cfg(feature = "operator")]
pub mod advice;
#[cfg(feature = "operator")]
mod backoff;
#[cfg(feature = "operator")]
pub mod client;
#[cfg(feature = "operator")]
pub mod clock;
#[cfg(feature = "operator")]
pub mod metrics;
#[cfg(feature = "operator")]
pub mod poller;
#[cfg(feature = "operator")]
pub mod source;
