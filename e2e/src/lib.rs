//! The local cluster for everyone: demo, end-to-end tests and benchmarks run on it.
//!
//! It is a real etcd, a real API server, real controllers and a real Prometheus, built from
//! their published Go modules on first use and kept outside the checkout. Each run has a folder
//! and ports of its own and leaves nothing behind.
//!
//! - [`environment`] brings all of it up; [`cluster`], [`prometheus`], [`operator`] and
//!   [`exporter`] are its parts
//! - [`bot`] is the bot that is degraded, [`browser`] shows its page, [`load`] keeps it busy
//! - [`demo`] plays a story on it
//! - [`bench`] measures what it costs and how quick it is
//! - [`harness`] is the frame around end-to-end tests
//! - [`tools`] finds or builds the servers; [`run_dir`] and [`process`] see that nothing stays

pub mod answer_proxy;
pub mod answer_stub;
mod apiserver;
mod apply;
pub mod audit;
pub mod bench;
pub mod bot;
pub mod browser;
pub mod certs;
pub mod cluster;
mod controller_manager;
pub mod demo;
pub mod environment;
mod etcd;
pub mod exporter;
pub mod fault_proxy;
pub mod harness;
pub mod http;
mod kubeconfig;
pub mod load;
mod namespaces;
pub mod operator;
pub mod paths;
mod pids;
pub mod ports;
pub mod process;
pub mod progress;
pub mod prometheus;
pub mod run_dir;
pub mod signals;
mod spawn;
pub mod tools;
pub mod users;
pub mod wait;
