//! Everything that the story needs, up and running: the cluster, Prometheus, the operator, the bot.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use brownout::api::{BotDegradationPolicy, HistoryEntry};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use super::step;
use super::watch::{BotStatus, Probes, Replicas, replicas};
use crate::environment::Environment;
use crate::http;
use crate::operator::{self, Operator};
use crate::paths;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::prometheus::Target;
use crate::run_dir::RunDir;
use crate::wait::await_condition;

const POLICY: &str = include_str!("../../demo/policy.yaml");
/// What is shipped, so that the demo also shows that the rights in it are enough: the operator's
/// account, and the bot's with its workers. Both run as processes here instead of pods.
const OPERATOR: [&str; 4] = [
    include_str!("../../../manifests/base/namespace.yaml"),
    include_str!("../../../manifests/base/service-account.yaml"),
    include_str!("../../../manifests/base/cluster-role.yaml"),
    include_str!("../../../manifests/base/cluster-role-binding.yaml"),
];
const BOT: &str = include_str!("../../../manifests/examples/chatbotler.yaml");

/// The names in those manifests.
const NAME: &str = "chatbotler";
const FLAGS: &str = "chatbotler-flags";
const OPERATOR_ACCOUNT: (&str, &str) = ("brownout-system", "brownout");

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

/// What runs. Dropping it ends all of it, the bot and the operator first.
pub(super) struct Stage {
    bot: Process,
    bot_port: Port,
    _target: Target,
    operator: Operator,
    namespace: String,
    environment: Environment,
}

impl Stage {
    /// Starts everything and waits until the policy is in force and the bot has its flags.
    pub(super) async fn set(run: Arc<RunDir>) -> Result<Self> {
        operator::executable()?; // what is missing is told before anything is started
        let program = bot_executable()?;
        let environment = Environment::start(Arc::clone(&run)).await?;
        let namespace = environment.cluster.namespace("demo").await?;
        let operator = step(
            "starting the operator",
            start_operator(&environment, &namespace),
        );
        let operator = operator.await?;
        let (bot, bot_port) = step(
            "starting the bot",
            start_bot(&environment, &namespace, program),
        )
        .await?;
        let target = environment
            .prometheus
            .add_target(&bot_port.address(), &[("job", NAME)])?;
        let stage = Self {
            bot,
            bot_port,
            _target: target,
            operator,
            namespace,
            environment,
        };
        step("applying the policy", stage.apply_policy()).await?;
        Ok(stage)
    }

    async fn apply_policy(&self) -> Result<()> {
        let prometheus = &self.environment.prometheus;
        let up = format!("up{{job=\"{NAME}\"}}");
        prometheus.await_value(&up, READY, |up| up > 0.0).await?;
        self.environment
            .cluster
            .apply(POLICY, &self.namespace)
            .await?;
        let (client, url) = (http::client()?, self.bot_url("/status"));
        await_condition("the bot to have its first flags", READY, || async {
            let status: BotStatus = client.get(&url).send().await?.json().await?;
            Ok(status.epoch)
        })
        .await
        .with_context(|| format!("the bot's log: {}", self.bot.log().display()))?;
        Ok(())
    }

    pub(super) fn bot_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.bot_port.number()))
    }

    fn bot_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.bot_port.address())
    }

    fn live_url(&self) -> String {
        let operator = self.operator.admin_address();
        format!("http://{operator}/v1/policies/{}/{NAME}", self.namespace)
    }

    pub(super) fn probes(&self) -> Result<Probes> {
        Ok(Probes {
            client: http::client()?,
            bot: self.bot_url("/status"),
            live: self.live_url(),
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
            ("chat page", self.bot_url("/")),
            ("what the bot obeys", self.bot_url("/status")),
            ("live state of the policy", self.live_url()),
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

async fn start_operator(environment: &Environment, namespace: &str) -> Result<Operator> {
    let (home, name) = OPERATOR_ACCOUNT;
    for manifest in OPERATOR {
        environment.cluster.apply(manifest, home).await?;
    }
    let account = environment.cluster.service_account(home, name).await?;
    let options = operator::Options {
        name: "operator".to_owned(),
        kubeconfig: account.kubeconfig,
        prometheus_url: environment.prometheus.url(),
        namespaces: vec![namespace.to_owned()],
        flags: Vec::new(),
    };
    Operator::start(Arc::clone(&environment.run), &options).await
}

/// The bot is a service account that may watch its own flags only.
async fn start_bot(
    environment: &Environment,
    namespace: &str,
    program: PathBuf,
) -> Result<(Process, Port)> {
    environment.cluster.apply(BOT, namespace).await?;
    let account = environment.cluster.service_account(namespace, NAME).await?;
    let port = Port::reserve()?;
    let spec = Spec::new("bot", program)
        .flag("listen", port.address())
        .flag("flags-configmap", FLAGS)
        .flag("flags-namespace", namespace)
        .env("KUBECONFIG", account.kubeconfig.as_os_str());
    let spec = BOT_OPTIONS.into_iter().fold(spec, Spec::arg);
    let bot = Process::start(&environment.run, &spec)?;
    let ready = format!("http://{}/readyz", port.address());
    bot.await_ready(READY, || http::is_ok(&ready)).await?;
    Ok((bot, port))
}

/// What cargo built beside this executable.
fn bot_executable() -> Result<PathBuf> {
    let path = paths::target_profile()?.join("chatbotler");
    if !Path::is_file(&path) {
        bail!(
            "there is no bot at {}: run `make demo`, or `cargo build -p chatbotler --features watch` first",
            path.display()
        );
    }
    Ok(path)
}
