//! Everything that the story needs, up and running: the cluster, Prometheus, the operator, the bot.

mod pods;
mod processes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use brownout::api::{BotDegradationPolicy, HistoryEntry};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use super::watch::{Probes, Replicas, replicas};
use super::{Way, step};
use crate::bot::Status;
use crate::environment::Environment;
use crate::http;
use crate::run_dir::RunDir;
use crate::wait::await_condition;

use pods::Pods;
use processes::Processes;

const POLICY: &str = include_str!("../../demo/policy.yaml");

/// The names in those manifests.
const NAME: &str = "chatbotler";
const FLAGS: &str = "chatbotler-flags";

const READY: Duration = Duration::from_secs(60);

/// One worker, whatever the machine: the story's rates are made for what these costs let it do.
const BOT_OPTIONS: [&str; 8] = [
    "--workers=1",
    "--command-ms=1",
    "--chat-ms=40",
    "--animation-ms=40",
    "--queue-critical=256",
    "--queue-important=256",
    "--queue-luxury=256",
    "--deadline=10s",
];

/// Where the players can be reached.
struct Place {
    /// Where messages are sent to.
    door: SocketAddr,
    /// The bot that is asked what it obeys.
    bot: SocketAddr,
    /// The live JSON of the operators: `host:port`, first of who led at the start.
    live: Vec<String>,
    /// Where the bot's log is, for a person.
    log: String,
}

/// Who plays: the operator and the bot.
enum Players {
    Pods(Pods),
    Processes(Processes),
}

/// What runs. Dropping it ends all of it, the bot and the operator first.
pub(super) struct Stage {
    players: Players,
    namespace: String,
    environment: Environment,
}

impl Stage {
    /// Starts everything and waits until the policy is in force and the bot has its flags.
    pub(super) async fn set(run: Arc<RunDir>, way: Way) -> Result<Self> {
        let (environment, namespace, players) = match way {
            Way::Pods => {
                pods::check()?;
                let environment = Environment::start_with_node(run).await?;
                let namespace = environment.cluster.namespace("demo").await?;
                let pods = Pods::start(&environment, &namespace).await?;
                (environment, namespace, Players::Pods(pods))
            }
            Way::Processes => {
                processes::check()?;
                let environment = Environment::start(run).await?;
                let namespace = environment.cluster.namespace("demo").await?;
                let processes = Processes::start(&environment, &namespace).await?;
                (environment, namespace, Players::Processes(processes))
            }
        };
        let stage = Self {
            players,
            namespace,
            environment,
        };
        step("applying the policy", stage.apply_policy()).await?;
        Ok(stage)
    }

    async fn apply_policy(&self) -> Result<()> {
        let prometheus = &self.environment.prometheus;
        // one number, however many pods are found by now
        let up = format!("min(up{{job=\"{NAME}\"}})");
        prometheus.await_value(&up, READY, |up| up > 0.0).await?;
        self.environment
            .cluster
            .apply(POLICY, &self.namespace)
            .await?;
        let (client, url) = (http::client()?, self.bot_url("/status"));
        await_condition("the bot to have its first flags", READY, || async {
            let status: Status = client.get(&url).send().await?.json().await?;
            Ok(status.epoch)
        })
        .await
        .with_context(|| self.place().log)?;
        Ok(())
    }

    fn place(&self) -> Place {
        match &self.players {
            Players::Pods(pods) => pods.place(),
            Players::Processes(processes) => processes.place(),
        }
    }

    /// Where messages are sent to.
    pub(super) fn door(&self) -> SocketAddr {
        self.place().door
    }

    /// The bot's page, for a person.
    pub(super) fn page(&self) -> String {
        self.bot_url("/")
    }

    fn bot_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.place().bot)
    }

    fn live_urls(&self) -> Vec<String> {
        let path = format!("v1/policies/{}/{NAME}", self.namespace);
        let operators = self.place().live.into_iter();
        operators.map(|at| format!("http://{at}/{path}")).collect()
    }

    pub(super) fn probes(&self) -> Result<Probes> {
        Ok(Probes {
            client: http::client()?,
            bot: self.bot_url("/status"),
            live: self.live_urls(),
            deployments: self.deployments(),
        })
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.environment.cluster.client(), &self.namespace)
    }

    /// How many workers of each kind the cluster is asked for.
    pub(super) async fn replicas(&self) -> Result<Replicas> {
        replicas(&self.deployments()).await
    }

    /// Every change of level, as the policy's status tells it.
    pub(super) async fn history(&self) -> Result<Vec<HistoryEntry>> {
        let policies: Api<BotDegradationPolicy> =
            Api::namespaced(self.environment.cluster.client(), &self.namespace);
        let policy = policies.get(NAME).await.context("the policy is gone")?;
        Ok(policy.status.map_or_else(Vec::new, |status| status.history))
    }

    pub(super) async fn leave(&self) {
        self.environment.cluster.leave(&self.namespace).await;
    }

    pub(super) fn addresses(&self) -> String {
        let kubeconfig = self.environment.cluster.kubeconfig().display();
        let rows = [
            ("talk to the bot", self.page()),
            ("what the bot obeys", self.bot_url("/status")),
            ("live state of the policy", self.live_urls().swap_remove(0)),
            ("Prometheus", self.environment.prometheus.url()),
            ("cluster", format!("export KUBECONFIG={kubeconfig}")),
            (
                "",
                format!("kubectl -n {} describe bdp {NAME}", self.namespace),
            ),
        ];
        let lines = rows.map(|(what, at)| format!("{what:>25}  {at}\n"));
        lines.concat()
    }
}
