//! How long nobody acts when the leader of two operators ends: from its signal to the next one's first
//! decision on a policy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::figures::{heading, line, millis, percentile};
use crate::environment::Environment;
use crate::exporter::Exporter;
use crate::operator::{self, Operator};
use crate::progress::say;
use crate::wait::await_condition;

const LONG: Duration = Duration::from_secs(90);

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job=\"takeover\"})'}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200', for: 1h}]}
    tiers: {luxury: Disabled}
";

/// The settings of the flags, and short ones.
const TIMINGS: [(&str, [&str; 3]); 2] = [
    ("lease 15 s, retry 2 s", ["15s", "10s", "2s"]),
    ("lease 3 s, retry 500 ms", ["3s", "2s", "500ms"]),
];

#[derive(Clone, Copy)]
enum End {
    Terminate,
    Kill,
}

/// A takeover.
struct Takeover {
    /// To the next leader.
    leads: Duration,
    /// To its first decision.
    decides: Duration,
}

pub(super) async fn measure(environment: &Environment, repetitions: usize) -> Result<()> {
    let exporter = Exporter::start().await?;
    exporter.gauge("bot_queue_depth", &[]).set(300.0);
    exporter.register(&environment.prometheus, &[("job", "takeover")])?;
    heading(&format!(
        "From the end of a leader to the next one ({repetitions} times each, interval 1 s)"
    ));
    for (name, times) in TIMINGS {
        let namespace = environment.cluster.namespace("takeover").await?;
        environment.cluster.apply(POLICY, &namespace).await?;
        let pair = Pair::start(environment, &namespace, times).await?;
        for (what, end) in [("SIGTERM", End::Terminate), ("SIGKILL", End::Kill)] {
            say(format!("takeover: {what}, {name}"));
            let mut all = Vec::new();
            for turn in 0..repetitions {
                all.push(pair.take_over(turn, end).await?);
            }
            report(&format!("{what}, {name}"), &all);
        }
        environment.cluster.leave(&namespace).await;
    }
    Ok(())
}

fn report(what: &str, all: &[Takeover]) {
    let part = |of: fn(&Takeover) -> Duration| {
        let mut sorted: Vec<Duration> = all.iter().map(of).collect();
        sorted.sort_unstable();
        let (middle, most) = (percentile(&sorted, 50), percentile(&sorted, 100));
        format!("p50 {}, max {}", millis(middle), millis(most))
    };
    line(&format!("{what}: leads"), part(|t| t.leads));
    line(&format!("{what}: decides"), part(|t| t.decides));
}

struct Pair([Operator; 2]);

impl Pair {
    async fn start(
        environment: &Environment,
        namespace: &str,
        [lease, renew, retry]: [&str; 3],
    ) -> Result<Self> {
        let start = async |name: &str| {
            let options = operator::Options {
                name: format!("{namespace}-{name}"),
                kubeconfig: environment.cluster.kubeconfig().to_path_buf(),
                prometheus_url: environment.prometheus.url(),
                namespaces: vec![namespace.to_owned()],
                flags: vec![
                    "--leader-elect".to_owned(),
                    format!("--leader-elect-lease-duration={lease}"),
                    format!("--leader-elect-renew-deadline={renew}"),
                    format!("--leader-elect-retry-period={retry}"),
                    format!("--leader-elect-lease-namespace={namespace}"),
                ],
            };
            Operator::start(Arc::clone(&environment.run), &options).await
        };
        Ok(Self([start("a").await?, start("b").await?]))
    }

    /// Ends the leader, and has it stand by again once the other one is at work.
    async fn take_over(&self, turn: usize, end: End) -> Result<Takeover> {
        let (old, new) = self.leader_and_standby().await?;
        let last = decided(old).await?;
        // nothing to do with the time of the last renewal
        let pause = u64::try_from(turn * 389 % 2000)?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let start = Instant::now();
        match end {
            End::Terminate => drop(old.terminate().await?),
            End::Kill => old.kill()?,
        }
        await_condition("the next leader", LONG, || async {
            Ok(new.leads().await?.then_some(()))
        })
        .await?;
        let leads = start.elapsed();
        await_condition("its first decision", LONG, || async {
            Ok((decided(new).await? > last).then_some(()))
        })
        .await?;
        let decides = start.elapsed();
        old.start_again().await?;
        Ok(Takeover { leads, decides })
    }

    /// Once there is a leader, and it is at work.
    async fn leader_and_standby(&self) -> Result<(&Operator, &Operator)> {
        let [a, b] = &self.0;
        await_condition("a leader at work", LONG, || async {
            for (one, other) in [(a, b), (b, a)] {
                if one.leads().await? && !decided(one).await?.is_empty() {
                    return Ok(Some((one, other)));
                }
            }
            Ok(None)
        })
        .await
    }
}

/// When the policy was last decided on, RFC 3339, empty where it was not.
async fn decided(operator: &Operator) -> Result<String> {
    let live = operator.policies().await?;
    let at = live
        .pointer("/policies/0/evaluatedAt")
        .context("no policy")?;
    Ok(at.as_str().unwrap_or_default().to_owned())
}
