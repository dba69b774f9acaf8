//! A feature goes viral on an API that takes ten calls a second, and in the middle three times as many people come.
//!
//! Played three times: by a bot as most are built, with one pool of workers for everything; by this bot, with a
//! pool per tier; and by this bot under the operator.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::harness::Ctx;
use e2e::model_server::{Behaviour, Rate};

use crate::crowd::{self, Answer, Kind, stream};
use crate::stage::Stage;
use crate::table::{Table, percent, percentile, share, short};

/// One call after the other; whoever would wait for more than a second is told to come back.
const RATE: Rate = Rate {
    each: Duration::from_millis(100),
    most_wait: Duration::from_secs(1),
};

const CALM: Duration = Duration::from_secs(7);
const RUSH: Duration = Duration::from_secs(24);
const AFTER: Duration = Duration::from_secs(9);
/// Commands, talks and deep answers in a second: of ten calls seven are taken, and then it is 21.
const CALM_RATES: [u32; 3] = [8, 4, 3];
const MORE: u32 = 3;

/// Workers of the bot with one pool: more than the API keeps busy.
const SHARED: &str = "--workers=8";

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  defaults: {matchers: 'job=\"JOB\"', window: 5s, minRequests: 5}
  signals:
  - name: talks-fail
    errorRatio: {counter: bot_requests_total, errors: 'outcome=~\"error|shed\"', matchers: 'feature=\"ai-chat\"'}
  - name: talks-p95
    latency: {histogram: bot_request_duration_seconds, quantile: '0.95', matchers: 'feature=\"ai-chat\"'}
  features:
  - {name: animations, tier: Luxury}
  - {name: deep-answers, tier: Luxury}
  - {name: ai-chat, tier: Important, values: {enabled: 512, reduced: 96, disabled: 0}}
  - {name: commands, tier: Critical}
  levels:
  - name: shed-luxury
    when: {any: [{signal: talks-fail, above: '0.05'}, {signal: talks-p95, above: '2'}]}
    tiers: {luxury: Disabled}
  - name: lighten
    when: {any: [{signal: talks-fail, above: '0.1', for: 2s}, {signal: talks-p95, above: '4', for: 2s}]}
    tiers: {important: Reduced}
  recovery: {after: 15s, tolerance: 10%}
";

/// How one of the three went.
struct Run {
    answers: Vec<Answer>,
    calls: usize,
    served: usize,
}

pub(crate) async fn play(ctx: Ctx) -> Result<()> {
    let naive = run(&ctx.neighbour().await?, &[SHARED], None).await?;
    let without = run(&ctx.neighbour().await?, &[], None).await?;
    let with = run(&ctx, &[], Some(POLICY)).await?;
    let runs = [&naive, &without, &with];
    tell(&runs)?;
    for run in [&without, &with] {
        ensure!(
            run.share(Kind::Command) >= 99.0,
            "commands are not answered"
        );
    }
    let p99 = runs.map(|run| run.latency(Kind::Command, 99));
    ensure!(
        p99[0] > 4 * p99[1] && p99[0] > 4 * p99[2],
        "the pools are worth nothing: {p99:?}"
    );
    ensure!(
        with.answered(Kind::Talk) > without.answered(Kind::Talk),
        "no more talks are answered with the operator than without"
    );
    ensure!(
        with.calls - with.served <= without.calls - without.served,
        "more calls are wasted with the operator than without"
    );
    Ok(())
}

async fn run(ctx: &Ctx, options: &[&str], policy: Option<&str>) -> Result<Run> {
    let behaviour = Behaviour {
        rate: Some(RATE),
        ..Behaviour::default()
    };
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    let stage = Stage::set(ctx, behaviour, &options, policy).await?;
    let mut asks = Vec::new();
    for (kind, rate) in [Kind::Command, Kind::Talk, Kind::Deep]
        .into_iter()
        .zip(CALM_RATES)
    {
        for (rate, from, to) in [
            (rate, Duration::ZERO, CALM),
            (rate * MORE, CALM, CALM + RUSH),
            (rate, CALM + RUSH, CALM + RUSH + AFTER),
        ] {
            asks.extend(stream(kind, rate, from, to));
        }
    }
    let answers = crowd::send(stage.bot.address(), asks).await?;
    Ok(Run {
        answers,
        calls: stage.calls(),
        served: stage.served(),
    })
}

impl Run {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &Answer> {
        self.answers
            .iter()
            .filter(move |answer| answer.kind == kind)
    }

    fn answered(&self, kind: Kind) -> usize {
        self.of(kind)
            .filter(|answer| answer.outcome == "ok")
            .count()
    }

    fn share(&self, kind: Kind) -> f64 {
        share(self.answered(kind), self.of(kind).count())
    }

    /// Of those that were let in, whether they were answered in time or not: who waited in vain, waited.
    fn latency(&self, kind: Kind, percent: usize) -> Duration {
        let waited = self.of(kind).filter(|a| a.outcome != "off");
        percentile(waited.map(|answer| answer.latency), percent)
    }

    fn declined(&self, kind: Kind) -> usize {
        self.of(kind)
            .filter(|answer| answer.outcome == "off")
            .count()
    }
}

fn tell(runs: &[&Run; 3]) -> Result<()> {
    let title = format!(
        "A viral feature on an API of 10 calls a second: {} s calm, {} s of {MORE} times as many people, {} s calm",
        CALM.as_secs(),
        RUSH.as_secs(),
        AFTER.as_secs()
    );
    let columns = ["one pool for all", "a pool per tier", "and the operator"];
    let mut table = Table::new(&title, &columns);
    let mut row = |what: &str, of: &dyn Fn(&Run) -> String| {
        table.row(what, &runs.map(of));
    };
    for (kind, name) in [(Kind::Command, "commands"), (Kind::Talk, "talks")] {
        row(&format!("{name} answered"), &|run| {
            percent(run.answered(kind), run.of(kind).count())
        });
        for p in [50, 99] {
            row(&format!("{name}, p{p}"), &|run| short(run.latency(kind, p)));
        }
    }
    row("calls at the API", &|run| run.calls.to_string());
    row("of these refused or in vain", &|run| {
        (run.calls - run.served).to_string()
    });
    row("deep answers (luxury) answered", &|run| {
        percent(run.answered(Kind::Deep), run.of(Kind::Deep).count())
    });
    row("deep answers declined at once, kindly", &|run| {
        run.declined(Kind::Deep).to_string()
    });
    table.tell("viral")
}
