//! Many policies at once: what they cost the operator, Prometheus and the API server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use brownout::api::BotDegradationPolicy;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};

use super::Plan;
use super::counts::{Counts, sum};
use super::figures::{heading, line, mebibytes, millis};
use super::policies::{Sharing, policy};
use super::usage::Usage;
use crate::audit::Mark;
use crate::environment::Environment;
use crate::exporter::Exporter;
use crate::http;
use crate::operator::{self, Operator};
use crate::wait::await_condition;

const SETTLED: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(300);
/// So often readiness is looked at: fine enough for a figure in milliseconds.
const GLANCE: Duration = Duration::from_millis(2);
const SELDOM: Duration = Duration::from_millis(500);
/// So many requests are under way while policies are made.
const AT_ONCE: usize = 8;
/// The operator's name in the audit log.
const USER: &str = "brownout-bench";

pub(super) async fn measure(
    environment: &Environment,
    plan: &Plan,
    sharing: Sharing,
) -> Result<()> {
    let crowd = Crowd::prepare(environment, plan.policies).await?;
    let operator = crowd.start_operator(environment).await?;
    operator.terminate().await?; // to be started with an eye on the clock
    heading(&format!(
        "{} policies, interval 5 s, {sharing}",
        plan.policies
    ));
    let ready = from_start_to_ready(&operator).await?;
    line("start to ready without policies", millis(ready));
    idle(&operator).await?;

    let (began, mark) = (Instant::now(), environment.cluster.audit()?.mark()?);
    crowd.create(sharing).await?;
    crowd.await_all_decided(&operator).await?;
    line("made, Ready and decided on", millis(began.elapsed()));
    line(
        "writes to the API server, reads, until then",
        requests(environment, mark)?,
    );
    steady(environment, &operator, plan.watched).await?;
    restart(&crowd, &operator).await?;
    crowd.remove().await?;
    operator.terminate().await?;
    environment.cluster.leave(&crowd.namespace).await;
    Ok(())
}

struct Crowd {
    namespace: String,
    policies: Api<BotDegradationPolicy>,
    count: u32,
    _exporter: Exporter,
}

impl Crowd {
    async fn prepare(environment: &Environment, count: u32) -> Result<Self> {
        let namespace = environment.cluster.namespace("crowd").await?;
        let exporter = Exporter::start().await?;
        for shard in 0..count {
            let shard = shard.to_string();
            exporter.gauge("bot_queue_depth", &[("shard", &shard)]);
            for outcome in ["ok", "error"] {
                let labels = [("shard", shard.as_str()), ("outcome", outcome)];
                exporter.counter("bot_requests_total", &labels).add(1.0);
            }
        }
        exporter.register(&environment.prometheus, &[("job", "crowd")])?;
        let up = "up{job=\"crowd\"}";
        environment
            .prometheus
            .await_value(up, LONG, |up| up > 0.0)
            .await?;
        Ok(Self {
            policies: Api::namespaced(environment.cluster.client(), &namespace),
            namespace,
            count,
            _exporter: exporter,
        })
    }

    async fn start_operator(&self, environment: &Environment) -> Result<Operator> {
        let user = environment
            .cluster
            .user(USER, Some("system:masters"))
            .await?;
        let options = operator::Options {
            name: format!("operator-{}", self.namespace),
            kubeconfig: user.kubeconfig,
            prometheus_url: environment.prometheus.url(),
            namespaces: vec![self.namespace.clone()],
            flags: Vec::new(),
        };
        Operator::start(Arc::clone(&environment.run), &options).await
    }

    async fn create(&self, sharing: Sharing) -> Result<()> {
        let create = |number: u32| async move {
            let policy = policy(number, sharing.shard(number, self.count))?;
            self.policies
                .create(&PostParams::default(), &policy)
                .await?;
            anyhow::Ok(())
        };
        stream::iter(0..self.count)
            .map(create)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Ready, and decided on since the operator started. The live JSON is large, so it is asked for
    /// seldom: what is measured should not be the measuring.
    async fn await_all_decided(&self, operator: &Operator) -> Result<()> {
        await_condition("all policies to be decided on", LONG, || async {
            tokio::time::sleep(SELDOM).await;
            let ready = sum(&operator.metrics().await?, "brownout_policy_ready{");
            if ready < f64::from(self.count) {
                return Ok(None);
            }
            let live = operator.policies().await?;
            let all = live["policies"].as_array().context("no policies")?;
            let decided = |policy: &&serde_json::Value| !policy["evaluatedAt"].is_null();
            let done = all.iter().filter(decided).count() >= usize::try_from(self.count)?;
            Ok(done.then_some(()))
        })
        .await
    }

    async fn remove(&self) -> Result<()> {
        let all = ListParams::default();
        self.policies
            .delete_collection(&DeleteParams::default(), &all)
            .await?;
        await_condition("all policies to be gone", LONG, || async {
            Ok(self
                .policies
                .list_metadata(&all)
                .await?
                .items
                .is_empty()
                .then_some(()))
        })
        .await
    }
}

async fn from_start_to_ready(operator: &Operator) -> Result<Duration> {
    let (client, url) = (
        http::client()?,
        format!("http://{}/readyz", operator.metrics_address()),
    );
    let start = Instant::now();
    operator.launch()?;
    loop {
        let answer = client.get(&url).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(start.elapsed());
        }
        anyhow::ensure!(start.elapsed() < LONG, "the operator does not become ready");
        tokio::time::sleep(GLANCE).await;
    }
}

async fn idle(operator: &Operator) -> Result<()> {
    let before = Usage::of(operator.pid()?)?;
    tokio::time::sleep(SETTLED).await;
    let after = Usage::of(operator.pid()?)?;
    line("memory without policies (RSS)", mebibytes(after.memory));
    let percent = after.percent_since(&before);
    line("CPU without policies", format!("{percent:.1} % of a core"));
    Ok(())
}

/// Nothing changes, so all that is done is asking and deciding.
async fn steady(environment: &Environment, operator: &Operator, watched: Duration) -> Result<()> {
    tokio::time::sleep(SETTLED).await;
    let audit = environment.cluster.audit()?;
    let (mark, began) = (audit.mark()?, Instant::now());
    let (before, asked) = (
        Usage::of(operator.pid()?)?,
        Counts::now(environment, operator).await?,
    );
    tokio::time::sleep(watched).await;
    let (after, now) = (
        Usage::of(operator.pid()?)?,
        Counts::now(environment, operator).await?,
    );
    let seconds = began.elapsed().as_secs_f64();

    line(
        "memory (RSS now, peak)",
        format!("{}, {}", mebibytes(after.memory), mebibytes(after.peak)),
    );
    let percent = after.percent_since(&before);
    line("CPU", format!("{percent:.1} % of a core"));
    let rate = |now: f64, before: f64| format!("{:.1}", (now - before) / seconds);
    line(
        "queries per second that Prometheus saw",
        rate(now.queries, asked.queries),
    );
    line(
        "evaluations per second",
        rate(now.evaluations, asked.evaluations),
    );
    let late = (now.failed - asked.failed, now.skipped - asked.skipped);
    line(
        "queries without an answer, ticks skipped",
        format!("{}, {}", late.0, late.1),
    );
    line(
        &format!("writes to the API server, reads, in {seconds:.0} s"),
        requests(environment, mark)?,
    );
    Ok(())
}

/// What the operator has asked of the API server since then.
fn requests(environment: &Environment, mark: Mark) -> Result<String> {
    let all = environment.cluster.audit()?.since(mark)?;
    let ours = all.iter().filter(|event| event.user.username == USER);
    let (writes, reads): (Vec<_>, Vec<_>) = ours.partition(|event| event.is_write());
    Ok(format!("{}, {}", writes.len(), reads.len()))
}

/// After the restart each policy's timers are rebuilt from the past before it is decided on again.
async fn restart(crowd: &Crowd, operator: &Operator) -> Result<()> {
    operator.kill()?;
    let began = Instant::now();
    let ready = from_start_to_ready(operator).await?;
    line("start to ready with them", millis(ready));
    crowd.await_all_decided(operator).await?;
    let usage = Usage::of(operator.pid()?)?;
    let all = format!(
        "{} ({} of CPU, {} peak)",
        millis(began.elapsed()),
        millis(usage.cpu),
        mebibytes(usage.peak)
    );
    line("start to every policy decided on again", all);
    Ok(())
}
