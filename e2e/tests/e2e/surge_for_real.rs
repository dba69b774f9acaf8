//! The whole loop without a stand-in: a real bot under real load gets slow, sheds, and is quick again.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::bot::Bot;
use e2e::harness::{Ctx, trial_within};
use e2e::load::{Answer, Load, median};
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Long enough for a crowded machine; nothing here is timed.
const SOON: Duration = Duration::from_secs(90);
const DEADLINE: Duration = Duration::from_secs(300);

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial_within(
        DEADLINE,
        "surge_for_real_is_shed_and_commands_are_quick_again",
        is_shed,
    )]
}

/// The window holds five scrapes. Recovery is slow enough to look at the bot while it sheds.
const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  defaults: {matchers: 'job=\"JOB\"', window: 5s, minRequests: 5}
  signals:
  - name: latency-p95
    latency: {histogram: bot_request_duration_seconds, quantile: '0.95', matchers: 'tier=\"Critical\"'}
  features: [{name: animations, tier: Luxury}, {name: commands, tier: Critical}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: latency-p95, above: '1', for: 1s}]}
    tiers: {luxury: Disabled}
  recovery: {after: 10s}
";

/// One worker, so that the machine's cores do not matter: with animations it answers 16 commands a
/// second at best, without them 500. Its queue is long enough for a machine that is busy with other tests, where
/// those who came before the bot shed are worked off for a while.
const BOT: [&str; 5] = [
    "--workers=1",
    "--queue-critical=4000",
    "--command-ms=2",
    "--chat-ms=40",
    "--animation-ms=60",
];
const CALM: Duration = Duration::from_millis(500);
const SURGE: Duration = Duration::from_millis(33);

async fn is_shed(ctx: Ctx) -> Result<()> {
    let bot = ctx.bot("bot-flags", &BOT).await?;
    let _operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    bot.await_level(0, SOON).await?;

    let calm = Load {
        message: "!ping".to_owned(),
        every: CALM,
        count: 12,
    };
    let answers = calm.drive(bot.address(), &CancellationToken::new()).await?;
    ensure!(
        answers.iter().any(|answer| answer.animated), // on a slow machine an answer does not wait for it
        "answers are animated while all is well: {answers:?}"
    );
    assert_eq!(bot.status().await?.level, 0);

    let surge = Surge::start(&bot);
    bot.await_level(1, SOON).await?;
    let shed = Instant::now();
    await_more_commands(&bot, 200).await?;
    assert_eq!(bot.status().await?.level, 1, "the load goes on");
    let answers = surge.end().await?;
    assert_quick_again(&answers, shed)?;
    assert_why(&ctx).await?;

    bot.await_level(0, SOON).await?;
    let answers = calm.drive(bot.address(), &CancellationToken::new()).await?;
    assert!(
        answers.iter().any(|answer| answer.animated),
        "everything is back: {answers:?}"
    );
    Ok(())
}

/// Far more than the bot can do with animations, and far less than it can do without.
struct Surge {
    stop: CancellationToken,
    answers: JoinHandle<Result<Vec<Answer>>>,
}

impl Surge {
    fn start(bot: &Bot) -> Self {
        let load = Load {
            message: "!ping".to_owned(),
            every: SURGE,
            count: 4000,
        };
        let (stop, address) = (CancellationToken::new(), bot.address());
        let until = stop.clone();
        let answers = tokio::spawn(async move { load.drive(address, &until).await });
        Self { stop, answers }
    }

    async fn end(self) -> Result<Vec<Answer>> {
        self.stop.cancel();
        self.answers.await?
    }
}

/// The comparison needs messages that were sent well after the bot shed.
async fn await_more_commands(bot: &Bot, more: u32) -> Result<()> {
    let so_far = commands(bot).await?;
    await_condition("commands to be answered", SOON, || async {
        let now = commands(bot).await?;
        if now >= so_far + more {
            return Ok(Some(()));
        }
        bail!("{so_far} became {now}")
    })
    .await
}

/// How many it has answered so far.
async fn commands(bot: &Bot) -> Result<u32> {
    let name = "bot_requests_total{feature=\"commands\",tier=\"Critical\",outcome=\"ok\"} ";
    let metrics = bot.metrics().await?;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(value.context("no count of commands")?.parse()?)
}

/// Before: the last seconds until the bot shed. After: from two seconds later on.
fn assert_quick_again(answers: &[Answer], shed: Instant) -> Result<()> {
    let of = |wanted: &dyn Fn(&Answer) -> bool| {
        median(answers.iter().filter(|a| wanted(a)).map(|a| a.latency)).context("no answers")
    };
    let before = of(&|a| a.at < shed && a.at + Duration::from_secs(5) > shed)?;
    let after = of(&|a| a.at > shed + Duration::from_secs(2))?;
    ensure!(
        after * 2 < before,
        "commands took {before:?} before, and {after:?} after"
    );
    let later = answers
        .iter()
        .filter(|a| a.at > shed + Duration::from_secs(2));
    for answer in later {
        ensure!(
            answer.outcome == "ok",
            "a command was not answered: {answer:?}"
        );
        ensure!(!answer.animated, "an animation that is off: {answer:?}");
    }
    Ok(())
}

/// The history names the signal and numbers that agree with it.
async fn assert_why(ctx: &Ctx) -> Result<()> {
    let policy = ctx.api::<BotDegradationPolicy>().get("bot").await?;
    let history = policy.status.context("no status")?.history;
    let last = history.last().context("no history")?;
    assert_eq!((last.from, last.to), (0, 1));
    assert_eq!(last.signal.as_deref(), Some("latency-p95"));
    let value: f64 = last.value.as_deref().context("no value")?.parse()?;
    assert!(value > 1.0, "{value} is not past the threshold");
    Ok(())
}
