//! What a test is given: a namespace of its own in the shared environment.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::NamespaceResourceScope;
use kube::api::DynamicObject;
use kube::{Api, Client, Resource};
use tokio::process::Command;

use crate::bot::{self, Bot};
use crate::browser::{Browser, Screen};
use crate::cluster::Cluster;
use crate::environment::Environment;
use crate::exporter::Exporter;
use crate::node::Node;
use crate::operator::{self, Operator};
use crate::prometheus::{self, Prometheus};
use crate::spawn::PROXIES;
use crate::tools::Tool;

/// Prometheus throttles its discovery: when many targets come at once, one waits some seconds.
const FIRST_SCRAPE: Duration = Duration::from_secs(30);

/// A test's own corner of the environment.
#[derive(Clone)]
pub struct Ctx {
    environment: Arc<Environment>,
    namespace: String,
}

impl Ctx {
    pub(super) async fn create(environment: Arc<Environment>, test: &str) -> Result<Self> {
        let namespace = environment.cluster.namespace(test).await?;
        Ok(Self {
            environment,
            namespace,
        })
    }

    /// The test's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.environment.cluster.client()
    }

    /// The cluster that all tests share.
    pub fn cluster(&self) -> &Cluster {
        &self.environment.cluster
    }

    /// The node that runs pods, in the test target `node`.
    pub fn node(&self) -> Result<&Node> {
        self.cluster().node()
    }

    /// Runs kubectl in the test's namespace and gives what it printed.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let program = Tool::Kubectl.find_or_build().await?;
        let mut command = Command::new(program);
        for proxy in PROXIES {
            command.env_remove(proxy);
        }
        let output = command
            .arg("--kubeconfig")
            .arg(self.cluster().kubeconfig())
            .args(["--namespace", &self.namespace])
            .args(args)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run kubectl")?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("kubectl {args:?}: {}: {}", output.status, words.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The Prometheus that all tests share: do not stop it, start one of your own for that.
    pub fn prometheus(&self) -> &Prometheus {
        &self.environment.prometheus
    }

    /// Everything shared.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// The objects of a kind in the test's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.namespace)
    }

    /// Applies YAML documents to the test's namespace.
    pub async fn apply(&self, yaml: &str) -> Result<Vec<DynamicObject>> {
        self.cluster().apply(yaml, &self.namespace).await
    }

    /// The value of the label `job` of this test's series: nothing else in Prometheus has it.
    pub fn job(&self) -> &str {
        &self.namespace
    }

    /// An exporter whose series reach the shared Prometheus with the labels `job` ([`Ctx::job`])
    /// and `namespace`. It is being scraped already: what is set is seen one scrape later.
    pub async fn exporter(&self) -> Result<Exporter> {
        self.exporter_at(self.prometheus()).await
    }

    /// As [`Ctx::exporter`], for a Prometheus of one's own.
    pub async fn exporter_at(&self, prometheus: &Prometheus) -> Result<Exporter> {
        let exporter = Exporter::start().await?;
        exporter.register(
            prometheus,
            &[("job", self.job()), ("namespace", &self.namespace)],
        )?;
        let up = format!("up{{instance=\"{}\"}}", exporter.address());
        prometheus
            .await_value(&up, FIRST_SCRAPE, |value| value > 0.0)
            .await?;
        Ok(exporter)
    }

    /// A bot that watches the flags `flags` and that the shared Prometheus asks already; its series
    /// have the labels of [`Ctx::exporter`].
    pub async fn bot(&self, flags: &str, options: &[&str]) -> Result<Bot> {
        let options = bot::Options {
            name: self.unique("bot"),
            kubeconfig: bot::may_watch(self.cluster(), &self.namespace, "bot", flags).await?,
            namespace: self.namespace.clone(),
            flags: flags.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
        };
        let bot = Bot::start(&self.environment.run, &options).await?;
        bot.register(
            self.prometheus(),
            &[("job", self.job()), ("namespace", &self.namespace)],
        )?;
        let up = format!("up{{instance=\"{}\"}}", bot.address());
        self.prometheus()
            .await_value(&up, FIRST_SCRAPE, |value| value > 0.0)
            .await?;
        Ok(bot)
    }

    /// A browser; its pictures are kept among the logs.
    pub async fn browser(&self, screen: Screen) -> Result<Browser> {
        let name = self.unique(&format!("{screen:?}").to_lowercase());
        Browser::start(Arc::clone(&self.environment.run), &name, screen).await
    }

    /// A Prometheus that the test may stop, freeze and kill.
    pub async fn own_prometheus(&self) -> Result<Prometheus> {
        let options = prometheus::Options::new(self.unique("prometheus"));
        Prometheus::start(Arc::clone(&self.environment.run), &options).await
    }

    /// An operator for the test's namespace that asks the shared Prometheus.
    pub async fn operator(&self) -> Result<Operator> {
        self.operator_asking(&self.prometheus().url()).await
    }

    /// An operator for the test's namespace that asks at this address.
    pub async fn operator_asking(&self, prometheus_url: &str) -> Result<Operator> {
        let options = self.operator_options(prometheus_url).await?;
        Operator::start(Arc::clone(&self.environment.run), &options).await
    }

    /// What [`Ctx::operator_asking`] starts, to be changed before it is started with
    /// [`Operator::start`].
    pub async fn operator_options(&self, prometheus_url: &str) -> Result<operator::Options> {
        Ok(operator::Options {
            name: self.unique("operator"),
            kubeconfig: self.operator_kubeconfig().await?,
            prometheus_url: prometheus_url.to_owned(),
            namespaces: vec![self.namespace.clone()],
            flags: Vec::new(),
        })
    }

    /// The user that this test's operators are in the cluster, by which the audit log knows them.
    pub fn operator_user(&self) -> String {
        format!("brownout:{}", self.namespace)
    }

    async fn operator_kubeconfig(&self) -> Result<std::path::PathBuf> {
        if self.cluster().audit().is_err() {
            return Ok(self.cluster().kubeconfig().to_path_buf()); // brought along: no other identity to be had
        }
        Ok(self
            .cluster()
            .user(&self.operator_user(), Some("system:masters"))
            .await?
            .kubeconfig)
    }

    fn unique(&self, what: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!(
            "{}-{what}-{}",
            self.namespace,
            NEXT.fetch_add(1, Ordering::Relaxed)
        )
    }
}
