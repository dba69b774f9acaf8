//! The bot as a child process, who in the cluster may watch its own flags and nothing else.

use std::collections::BTreeMap;
use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use brownout::policy::State;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::http;
use crate::paths;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::prometheus::{Prometheus, Target};
use crate::run_dir::RunDir;
use crate::wait::await_condition;

const READY: Duration = Duration::from_secs(60);
/// Longer than the bot's own grace.
const STOP: Duration = Duration::from_secs(40);

/// How a bot is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names its log; unique within a run.
    pub name: String,
    /// Who it is in the cluster: [`may_watch`] makes such a person.
    pub kubeconfig: PathBuf,
    /// The namespace of its flags.
    pub namespace: String,
    /// The `ConfigMap` that it watches.
    pub flags: String,
    /// More command line options, such as `--animation-ms=40`.
    pub options: Vec<String>,
}

/// A running bot. Dropping it kills it.
#[derive(Debug)]
pub struct Bot {
    process: Process,
    spec: Box<Spec>, // boxed: it is large, and bots lie in enums
    port: Port,
    targets: Mutex<Vec<Target>>,
}

/// What the bot says of itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The degradation level that it obeys.
    pub level: usize,
    /// That level's name.
    pub level_name: String,
    /// Of the flags in force; none before the first.
    pub epoch: Option<i64>,
    /// Everything it can do.
    pub features: Vec<Feature>,
}

/// One thing that the bot can do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Feature {
    /// As the policy calls it.
    pub name: String,
    /// What it is at this level.
    pub state: State,
}

impl Status {
    /// The state of a feature; one that the bot does not know is as good as off.
    pub fn state(&self, feature: &str) -> State {
        let found = self.features.iter().find(|known| known.name == feature);
        found.map_or(State::Disabled, |known| known.state)
    }
}

impl Bot {
    /// Starts a bot and waits until it is ready.
    pub async fn start(run: &RunDir, options: &Options) -> Result<Self> {
        let port = Port::reserve()?;
        let spec = Spec::new(&options.name, executable()?)
            .flag("listen", port.address())
            .flag("flags-configmap", &options.flags)
            .flag("flags-namespace", &options.namespace)
            .flag("store", "sqlite::memory:")
            .env("KUBECONFIG", options.kubeconfig.as_os_str());
        let spec = options.options.iter().fold(spec, Spec::arg);
        Self::start_as(run, &spec, port).await
    }

    /// Starts a bot without a cluster, and waits until it is ready. What it remembers is in memory
    /// unless an option says otherwise.
    pub async fn alone(run: &RunDir, name: &str, options: &[String]) -> Result<Self> {
        let port = Port::reserve()?;
        let spec = Spec::new(name, executable()?)
            .flag("listen", port.address())
            .flag("store", "sqlite::memory:");
        let spec = options.iter().fold(spec, Spec::arg);
        Self::start_as(run, &spec, port).await
    }

    /// Starts one with these options, but for its address, and these variables.
    pub async fn of_line(
        run: &RunDir,
        name: &str,
        options: &[String],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let port = Port::reserve()?;
        let spec = Spec::new(name, executable()?).flag("listen", port.address());
        let spec = options.iter().fold(spec, Spec::arg);
        let spec = variables
            .iter()
            .fold(spec, |spec, (name, value)| spec.env(name, value));
        Self::start_as(run, &spec, port).await
    }

    async fn start_as(run: &RunDir, spec: &Spec, port: Port) -> Result<Self> {
        let process = Process::start(run, spec)?;
        let bot = Self {
            process,
            spec: Box::new(spec.clone()),
            port,
            targets: Mutex::default(),
        };
        bot.await_ready().await?;
        Ok(bot)
    }

    async fn await_ready(&self) -> Result<()> {
        let ready = self.url("/readyz");
        self.process
            .await_ready(READY, || http::is_ok(&ready))
            .await
    }

    /// Starts it again, once it has ended, at the same address and with the same options.
    pub async fn restart(&mut self, run: &RunDir) -> Result<()> {
        self.process = Process::start(run, &self.spec)?;
        self.await_ready().await
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// Has a Prometheus ask it for its metrics, and give its series these labels (such as `job`).
    pub fn register(&self, prometheus: &Prometheus, labels: &[(&str, &str)]) -> Result<()> {
        let target = prometheus.add_target(&self.address().to_string(), labels)?;
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.push(target);
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port.number()))
    }

    /// Where it serves a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Its metrics, as text.
    pub async fn metrics(&self) -> Result<String> {
        http::get_text(&self.url("/metrics")).await
    }

    /// What it says of itself now.
    pub async fn status(&self) -> Result<Status> {
        let text = http::get_text(&self.url("/status")).await?;
        serde_json::from_str(&text).with_context(|| format!("not a bot's status: {text}"))
    }

    /// Waits until it obeys flags of this level.
    pub async fn await_level(&self, level: usize, deadline: Duration) -> Result<Status> {
        let what = format!("the bot to obey flags of level {level}");
        await_condition(&what, deadline, || async {
            let status = self.status().await?;
            if status.epoch.is_some() && status.level == level {
                return Ok(Some(status));
            }
            bail!(
                "its level is {}, its epoch {:?}",
                status.level,
                status.epoch
            )
        })
        .await
    }

    /// Waits until it has ended by itself.
    pub async fn exited(&self) -> ExitStatus {
        self.process.exited().await
    }

    /// Ends it in good order (SIGTERM), which lets it finish what is under way.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        self.process.terminate(STOP).await
    }
}

/// Makes a service account `name` that may watch one `ConfigMap` and do nothing else, and gives the
/// file with which to log in as it.
pub async fn may_watch(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    flags: &str,
) -> Result<PathBuf> {
    let objects = format!(
        "
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}-flags}}
rules:
- {{apiGroups: [''], resources: [configmaps], resourceNames: [{flags}], verbs: [get, list, watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}-flags}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}-flags}}
subjects: [{{kind: ServiceAccount, name: {name}}}]
"
    );
    cluster.apply(&objects, namespace).await?;
    Ok(cluster.service_account(namespace, name).await?.kubeconfig)
}

/// `CHATBOTLER_BIN`, else what cargo built beside this executable.
pub fn executable() -> Result<PathBuf> {
    let path = match env::var_os("CHATBOTLER_BIN") {
        Some(path) => PathBuf::from(path),
        None => paths::target_profile()?.join("chatbotler"),
    };
    if !Path::is_file(&path) {
        bail!(
            "there is no bot at {}: run `cargo build -p chatbotler --features watch` first, or set CHATBOTLER_BIN",
            path.display()
        );
    }
    Ok(path)
}
