//! More than one process: gateways take messages in, workers answer them, and a queue of NATS
//! `JetStream` is between them, so that each kind can be scaled by itself.
//!
//! # Guarantees
//!
//! - A job that was accepted is done, or its asker is told kindly that it is not; whichever process ends
//!   in between.
//! - In our store it is done once: each job is recorded under its message's id, and what handlers write is
//!   keyed by that id too. What is repeated is the answer, and counted.
//! - Without NATS a gateway still answers what needs no worker, and declines the rest at once.

mod attend;
mod gateway;
mod metrics;
mod orphans;
mod queue;
mod watch;
mod wire;
mod worker;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::Chat;
use crate::config::{JobsConfig, PoolsConfig, Role};
use crate::deliver::Deliver;
use crate::message::{Door, new_id};
use crate::store::Store;
use attend::Attendant;
pub(crate) use gateway::Gateway;
use metrics::JobsMetrics;
use orphans::Orphans;
use queue::Queue;
pub(crate) use wire::Verdict;
use worker::Worker;

/// Why there can be no queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobsError {
    /// A role of the split without its queue.
    #[error("--role gateway and --role worker need --nats-url, such as nats://nats:4222")]
    NoUrl,
    /// A role of the split without its database.
    #[error(
        "--role gateway and --role worker need the --store that they share, such as \
         postgres://USER:PASSWORD@HOST/DATABASE"
    )]
    NoStore,
    /// Its text is a secret.
    #[error(
        "--nats-url is no address of a NATS server: write nats://HOST:4222 or nats://USER:PASSWORD@HOST:4222, \
         of more servers with commas between them"
    )]
    Url,
    /// The options are refused.
    #[error("--nats-url: {0}")]
    Connect(#[source] async_nats::ConnectError),
}

/// How much the queue holds, and for how long a worker may be silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    places: u32,
    replicas: usize,
    ack_wait: Duration,
}

/// This process's part of the split.
pub(crate) struct Jobs {
    config: JobsConfig,
    queue: Arc<Queue>,
    metrics: Arc<JobsMetrics>,
    /// Aborts the tasks when it goes out of scope.
    tasks: JoinSet<()>,
}

impl Jobs {
    /// Registers the series; connects, unless one process does everything.
    pub(crate) async fn connect(
        config: &JobsConfig,
        registry: &mut Registry,
    ) -> Result<Option<Self>, JobsError> {
        let metrics = Arc::new(JobsMetrics::new(registry));
        if config.role == Role::All {
            return Ok(None);
        }
        let url = config.nats_url.as_ref().ok_or(JobsError::NoUrl)?;
        let limits = Limits {
            places: config.jobs_max,
            replicas: config.nats_replicas,
            ack_wait: config.ack_wait,
        };
        let queue = Queue::connect(url, config.role, limits, Arc::clone(&metrics)).await?;
        let queue = Arc::new(queue);
        let mut tasks = JoinSet::new();
        if config.role == Role::Gateway {
            // workers come and go, and each would ask for the same
            let watched = Arc::clone(&queue);
            tasks.spawn(async move { watched.watch().await });
        }
        Ok(Some(Self {
            config: config.clone(),
            queue,
            metrics,
            tasks,
        }))
    }

    /// The gateway, where this process is one; `doors` are those that can speak unasked.
    pub(crate) fn gateway(
        &mut self,
        store: Store,
        doors: Vec<(Door, Arc<dyn Deliver>)>,
    ) -> Option<Arc<Gateway>> {
        if self.config.role != Role::Gateway {
            return None;
        }
        let id = self.config.gateway_id.clone();
        let gateway = Arc::new(Gateway::new(
            Arc::clone(&self.queue),
            Arc::clone(&self.metrics),
            store,
            &id.unwrap_or_else(new_id),
            self.config.luxury_patience,
        ));
        let listener = Arc::clone(&gateway);
        self.tasks.spawn(async move { listener.listen().await });
        let orphans = Orphans::new(self.queue.client.clone(), doors, Arc::clone(&self.metrics));
        self.tasks.spawn(Arc::new(orphans).adopt());
        Some(gateway)
    }

    /// Works until `draining` and then for the grace at most, where this process is a worker.
    pub(crate) async fn work(
        &self,
        chat: Arc<Chat>,
        store: Store,
        pools: &PoolsConfig,
        draining: CancellationToken,
        grace: Duration,
    ) {
        if self.config.role != Role::Worker {
            return;
        }
        let tiers = self.config.worker_tiers.iter().copied();
        let worker = Worker {
            queue: Arc::clone(&self.queue),
            metrics: Arc::clone(&self.metrics),
            attendant: Attendant {
                client: self.queue.client.clone(),
                chat,
                store,
                metrics: Arc::clone(&self.metrics),
                ack_wait: self.config.ack_wait,
            },
            tiers: tiers.map(|tier| (tier, pools.at_once(tier))).collect(),
            in_hand: Mutex::default(),
            tracker: TaskTracker::new(),
            give_back: CancellationToken::new(),
        };
        Arc::new(worker).run(draining, grace).await;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Config;

    async fn connect(options: &[&str]) -> Result<Option<Jobs>, JobsError> {
        let options = ["chatbotler"].iter().chain(options);
        let config = Config::try_parse_from(options).unwrap();
        Jobs::connect(&config.jobs, &mut Registry::default()).await
    }

    #[tokio::test]
    async fn one_process_needs_no_queue_and_a_split_does() {
        assert!(connect(&[]).await.unwrap().is_none());
        for role in ["--role=gateway", "--role=worker"] {
            let error = connect(&[role]).await.err().unwrap();
            assert!(error.to_string().contains("--nats-url"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_wrong_address_is_refused_and_not_repeated() {
        let url = "--nats-url=nats://bot:hunter2@:::";
        let error = connect(&["--role=worker", url]).await.err().unwrap();
        assert!(matches!(error, JobsError::Url), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
