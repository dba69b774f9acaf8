//! The bot's split under a steady load, while one of its workers is killed again and again: does any process grow?

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use super::figures::{heading, line, mebibytes, millis};
use super::usage::Usage;
use crate::bot::Bot;
use crate::load::{Answer, Load};
use crate::nats::Nats;
use crate::run_dir::RunDir;

/// Between two messages, and between two kills.
const EVERY: Duration = Duration::from_millis(100);
const KILLS: Duration = Duration::from_secs(15);
/// What a process needs at first is no growth.
const WARM: Duration = Duration::from_secs(10);
const MESSAGE: &str = "How do you do?";

/// Gateway, queue, and the workers that are let live.
struct Split {
    run: Arc<RunDir>,
    nats: Nats,
    gateway: Bot,
    core: Bot,
    luxury: Bot,
}

pub(super) async fn measure(run: Arc<RunDir>, length: Duration) -> Result<()> {
    let split = Split::start(run).await?;
    split.drive(WARM, None).await?;
    let before = split.usage()?;
    let mut killed = 0;
    let answers = split.drive(length, Some(&mut killed)).await?;
    let after = split.usage()?;

    heading("The bot as gateway and workers");
    line(
        "watched",
        format!("{} s, load {}", length.as_secs(), super::usage::load()),
    );
    line("workers killed (SIGKILL)", killed);
    let mut outcomes = BTreeMap::<String, usize>::new();
    for answer in &answers {
        *outcomes.entry(answer.outcome.clone()).or_default() += 1;
    }
    line("messages", answers.len());
    for (outcome, count) in outcomes {
        line(&format!("  of these {outcome}"), count);
    }
    line(
        "  with confetti",
        answers.iter().filter(|it| it.animated).count(),
    );
    let mut latencies: Vec<Duration> = answers.iter().map(|it| it.latency).collect();
    latencies.sort_unstable();
    for percent in [50, 99] {
        let rank = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        let latency = latencies.get(rank).context("no answers")?;
        line(&format!("answered within, p{percent}"), millis(*latency));
    }
    for ((name, before), (_, after)) in before.into_iter().zip(after) {
        let cpu = after.percent_since(&before);
        let (first, last) = (mebibytes(before.memory), mebibytes(after.memory));
        line(
            &format!("{name}: memory at first, at last, peak"),
            format!(
                "{first}, {last}, {}; {cpu:.1} % of a core",
                mebibytes(after.peak)
            ),
        );
    }
    Ok(())
}

impl Split {
    async fn start(run: Arc<RunDir>) -> Result<Self> {
        let nats = Nats::start(&run, "soak-nats").await?;
        let gateway = bot(&run, &nats, "gateway", &["--role=gateway"]).await?;
        let core = core_worker(&run, &nats, "core-worker").await?;
        let luxury = ["--role=worker", "--worker-tiers=luxury"];
        let luxury = bot(&run, &nats, "luxury-worker", &luxury).await?;
        Ok(Self {
            run,
            nats,
            gateway,
            core,
            luxury,
        })
    }

    /// Sends messages for so long, and where `killed` counts it, ends a second core worker over and over.
    async fn drive(&self, length: Duration, killed: Option<&mut u32>) -> Result<Vec<Answer>> {
        let count = u32::try_from(length.as_millis() / EVERY.as_millis())?;
        let load = Load {
            message: MESSAGE.to_owned(),
            every: EVERY,
            count,
        };
        let stop = CancellationToken::new();
        let answers = load.drive(self.gateway.address(), &stop);
        let Some(killed) = killed else {
            return answers.await;
        };
        tokio::select! {
            answers = answers => answers,
            Err(error) = self.kill_workers(killed) => Err(error),
        }
    }

    async fn kill_workers(&self, killed: &mut u32) -> Result<Infallible> {
        let mut times = interval_at(Instant::now() + KILLS, KILLS);
        loop {
            let name = format!("victim-{killed}");
            let victim = core_worker(&self.run, &self.nats, &name).await?;
            times.tick().await;
            victim.kill()?;
            *killed += 1;
        }
    }

    fn usage(&self) -> Result<Vec<(&'static str, Usage)>> {
        let of = [
            ("gateway", self.gateway.pid()),
            ("core-worker", self.core.pid()),
            ("luxury-worker", self.luxury.pid()),
            ("NATS", self.nats.pid()),
        ];
        of.into_iter()
            .map(|(name, pid)| Ok((name, Usage::of(pid)?)))
            .collect()
    }
}

async fn core_worker(run: &RunDir, nats: &Nats, name: &str) -> Result<Bot> {
    let options = ["--role=worker", "--worker-tiers=critical,important"];
    bot(run, nats, name, &options).await
}

async fn bot(run: &RunDir, nats: &Nats, name: &str, options: &[&str]) -> Result<Bot> {
    let file = run.data().join("soak.db");
    let own = [
        format!("--nats-url={}", nats.url()),
        format!("--store=sqlite:{}?mode=rwc", file.display()),
    ];
    let options = options.iter().map(|&option| option.to_owned());
    let options: Vec<String> = own.into_iter().chain(options).collect();
    Bot::alone(run, &format!("soak-{name}"), &options).await
}
