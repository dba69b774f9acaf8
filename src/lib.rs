//! Brownout: an autonomous degradation controller for bots on Kubernetes.
//!
//! # Layout
//!
//! - `api`: the custom resources, what users write (feature `kubernetes`)
//! - [`policy`]: a spec that has been understood
//! - [`decide`]: readings in, a decision out
//! - [`flags`]: the `ConfigMap` that the bot reads
//! - [`replay`]: `decide` folded over recorded series
//! - `plan`: a decision as the writes that carry it out
//! - `prometheus`: typed signals, queries, readings, the poller
//! - `controller`: watches, reconcile, apply, report
//! - `election`: which of several operators acts, and the fence that keeps the others from writing
//! - `cli`: one file per command
//!
//! Without its default features the library is the pure core: no I/O, no clock, no Kubernetes.

#[cfg(feature = "operator")]
pub mod admin;
#[cfg(feature = "kubernetes")]
pub mod api;
#[cfg(feature = "operator")]
pub mod cli;
#[cfg(feature = "operator")]
pub mod cluster_client;
#[cfg(feature = "operator")]
pub mod controller;
pub mod decide;
#[cfg(feature = "operator")]
pub mod election;
pub mod flags;
#[cfg(feature = "operator")]
pub mod metrics;
pub mod plan;
pub mod policy;
#[cfg(feature = "promql")]
pub mod prometheus;
pub mod replay;
#[cfg(feature = "operator")]
pub mod telemetry;
pub mod time;
#[cfg(feature = "operator")]
pub mod tls;
