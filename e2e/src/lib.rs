//! The local cluster for everyone: demo, end-to-end tests and benchmarks run on it.
//!
//! It is a real etcd, a real API server, real controllers and a real Prometheus, built from
//! their published Go modules on first use and kept outside the checkout. Each run has a folder
//! and ports of its own and leaves nothing behind.
//!
//! - [`environment`] brings all of it up; [`cluster`], [`prometheus`], [`operator`] and
//!   [`exporter`] are its parts
//! - [`node`] runs real pods, for those who need them, from an [`image`]
//! - [`bot`] is the bot that is degraded, [`postgres`] what it remembers with, [`browser`] shows its [`page`], [`load`] keeps it busy
//! - [`model_server`] stands in for the paid API that the bot asks
//! - [`shipped`] gives the manifests and images of the checkout, [`pods`] looks after what runs from them
//! - [`discord`] stands in for what cannot be had here
//! - [`demo`] plays a story on it
//! - [`bench`] measures what it costs and how quick it is
//! - [`harness`] is the frame around end-to-end tests
//! - [`rights`] are the operators', as shipped, and what a run showed of them
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
pub mod discord;
pub mod environment;
mod etcd;
pub mod exporter;
pub mod fault_proxy;
pub mod guard;
pub mod harness;
pub mod http;
pub mod image;
mod kubeconfig;
pub mod load;
pub mod model_server;
mod namespaces;
pub mod nats;
pub mod node;
pub mod operator;
pub mod page;
pub mod partition;
pub mod paths;
mod pids;
pub mod pods;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod progress;
pub mod prometheus;
pub mod promql;
pub mod rights;
pub mod run_dir;
mod scheduler;
pub mod shipped;
pub mod signals;
mod spawn;
pub mod tools;
pub mod users;
pub mod victoria_metrics;
pub mod wait;

pub use apiserver::AUDIENCE;
