//! The hourly quota of an API is gone: twice as many people ask as it holds. An hour is played in [`HOUR`].

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::harness::Ctx;
use e2e::model_server::{Behaviour, Hour};

use crate::crowd::{self, Answer, Kind, stream};
use crate::stage::Stage;
use crate::table::{Table, percent, percentile, share, short};

const HOUR: Duration = Duration::from_secs(40);
/// Requests in such an hour.
const QUOTA: u64 = 120;
/// Talks in a second: twice the quota.
const TALKS: u32 = 6;
/// After the turn of the hour: a third of the quota.
const TALKS_AFTER: u32 = 1;
const COMMANDS: u32 = 5;
/// A bit of the next hour, to see when all is as it was.
const AFTER: Duration = Duration::from_secs(18);
/// What comes this early after the turn, at the latest, began within the hour.
const LATE: Duration = Duration::from_millis(300);

/// The thresholds of the suggested policy (an end within 45 and within 30 minutes, clear when the hour lasts) in an hour of 40 s.
const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  signals:
  - name: quota-ends-in
    query: min(bot_quota_exhausted_in_seconds{job=\"JOB\"})
  - name: quota-left
    query: min(bot_quota_remaining{job=\"JOB\"})
  features:
  - {name: animations, tier: Luxury}
  - {name: search, tier: Important, values: {enabled: 2, reduced: 1, disabled: 0}}
  - {name: ai-chat, tier: Important, values: {enabled: 512, reduced: 96, disabled: 0}}
  - {name: commands, tier: Critical}
  levels:
  - name: save-quota
    when: {any: [{signal: quota-ends-in, below: '30', clear: '40', for: 1s}]}
    tiers: {luxury: Disabled}
    features: {search: Reduced}
  - name: stretch-quota
    when: {any: [{signal: quota-ends-in, below: '20', clear: '40', for: 1s}]}
    tiers: {important: Reduced}
  - name: quota-out
    when: {any: [{signal: quota-left, below: '1'}]}
    features: {ai-chat: Disabled}
  recovery: {after: 6s}
";

/// What became of a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Full,
    Small,
    Notes,
    Butler,
    /// Told at once that talks rest.
    Declined,
    /// Told at once that the model rests, and when to ask again.
    Rests,
    /// Late, or nothing.
    Failed,
}

const ENDS: [(End, &str); 7] = [
    (End::Full, "talks: the model, in full"),
    (End::Small, "talks: the small model, shorter"),
    (End::Notes, "talks: from notes, which it says"),
    (End::Butler, "talks: a pleasantry, by the butler"),
    (End::Declined, "no answer: talks are off, told at once"),
    (End::Rests, "no answer: out of quota, told at once"),
    (End::Failed, "no answer: failed or late"),
];

struct Run {
    answers: Vec<Answer>,
    calls: usize,
    refused: usize,
}

pub(crate) async fn play(ctx: Ctx) -> Result<()> {
    let without = run(&ctx.neighbour().await?, None).await?;
    let with = run(&ctx, Some(POLICY)).await?;
    tell(&[&without, &with])?;
    for run in [&without, &with] {
        ensure!(run.commands() >= 99.0, "commands are not answered");
    }
    ensure!(
        without.count(End::Rests) > 20,
        "without the operator the quota holds, so nothing is shown"
    );
    ensure!(
        with.own().0 > without.own().0,
        "no more questions are answered by the model with the operator than without"
    );
    ensure!(
        with.answered() > without.answered(),
        "no more is answered with the operator than without"
    );
    ensure!(
        with.full_again().is_some(),
        "it does not become normal again"
    );
    Ok(())
}

async fn run(ctx: &Ctx, policy: Option<&str>) -> Result<Run> {
    let mut behaviour = Behaviour::with_quota(QUOTA);
    behaviour.hour = Hour(HOUR.as_secs());
    behaviour.delay = Duration::from_millis(50);
    let options = [
        format!("--ai-hour={}s", HOUR.as_secs()),
        format!("--ai-quota-hour={QUOTA}"),
    ];
    let stage = Stage::set(ctx, behaviour, &options, policy).await?;
    let mut asks = stream(Kind::Talk, TALKS, Duration::ZERO, HOUR);
    asks.extend(stream(Kind::Talk, TALKS_AFTER, HOUR, HOUR + AFTER));
    asks.extend(stream(
        Kind::Command,
        COMMANDS,
        Duration::ZERO,
        HOUR + AFTER,
    ));
    tokio::time::sleep(until_the_hour()).await; // the time of day is what is awaited
    let answers = crowd::send(stage.bot.address(), asks).await?;
    Ok(Run {
        answers,
        calls: stage.calls(),
        refused: stage.calls() - stage.served(),
    })
}

/// Hours are those of the clock.
fn until_the_hour() -> Duration {
    let now = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    let hour = u64::try_from(HOUR.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(hour - now % hour) + Duration::from_millis(50)
}

fn is_answered(answer: &Answer) -> bool {
    !matches!(end(answer), End::Declined | End::Rests | End::Failed)
}

fn end(answer: &Answer) -> End {
    let says = |words| answer.text.contains(words);
    match answer.outcome.as_str() {
        // also where he says that the model rests
        "ok" | "error" if says("me alone") => End::Butler,
        "ok" if says("my notes") => End::Notes,
        "ok" if says(" of large.") => End::Full,
        "ok" if says(" of small.") => End::Small,
        "off" => End::Declined,
        "error" if says("answered all it may") => End::Rests,
        _ => End::Failed,
    }
}

impl Run {
    /// Talks of the hour.
    fn talks(&self) -> impl Iterator<Item = &Answer> {
        let of = |a: &&Answer| a.kind == Kind::Talk && a.at < HOUR;
        self.answers.iter().filter(of)
    }

    fn count(&self, wanted: End) -> usize {
        self.talks().filter(|answer| end(answer) == wanted).count()
    }

    fn answered(&self) -> usize {
        self.talks().filter(|answer| is_answered(answer)).count()
    }

    /// Questions that are nobody's pleasantry, nor asked by others: only the model has an answer.
    fn own(&self) -> (usize, usize) {
        let own = |a: &&Answer| a.own;
        let answered = |a: &&Answer| matches!(end(a), End::Full | End::Small);
        let asked = self.talks().filter(own).count();
        (self.talks().filter(own).filter(answered).count(), asked)
    }

    fn commands(&self) -> f64 {
        let all = self.answers.iter().filter(|a| a.kind == Kind::Command);
        let good = all.clone().filter(|a| a.outcome == "ok").count();
        share(good, all.count())
    }

    fn commands_p99(&self) -> Duration {
        let all = self.answers.iter().filter(|a| a.kind == Kind::Command);
        percentile(all.map(|a| a.latency), 99)
    }

    /// The longest time in which no question of one's own was answered.
    fn longest_silence(&self) -> Duration {
        let mut own: Vec<&Answer> = self.answers.iter().filter(|a| a.own).collect();
        own.sort_by_key(|a| a.at);
        let mut longest = Duration::ZERO;
        let mut since = None;
        for question in own {
            if is_answered(question) {
                since = None;
            } else {
                let since = *since.get_or_insert(question.at);
                longest = longest.max(question.at.saturating_sub(since));
            }
        }
        longest
    }

    /// From the turn of the hour until talks are answered in full, and stay so.
    fn full_again(&self) -> Option<Duration> {
        let of = |a: &&Answer| a.kind == Kind::Talk && a.at >= HOUR + LATE;
        let mut talks: Vec<&Answer> = self.answers.iter().filter(of).collect();
        talks.sort_by_key(|a| std::cmp::Reverse(a.at));
        let full = talks.iter().take_while(|a| end(a) == End::Full).last()?;
        Some(full.at.saturating_sub(HOUR))
    }
}

/// In minutes of the hour that is played.
fn minutes(time: Duration) -> String {
    format!("{:.0} min", time.as_secs_f64() / HOUR.as_secs_f64() * 60.0)
}

fn tell(runs: &[&Run; 2]) -> Result<()> {
    let title = format!(
        "An hourly quota of {QUOTA} requests, and {} talks: an hour PLAYED IN {} s, minutes are of that hour",
        u64::from(TALKS) * HOUR.as_secs(),
        HOUR.as_secs()
    );
    let mut table = Table::new(&title, &["without the operator", "with the operator"]);
    let mut row = |what: &str, of: &dyn Fn(&Run) -> String| {
        table.row(what, &runs.map(of));
    };
    row("talks answered", &|run| {
        percent(run.answered(), run.talks().count())
    });
    for (end, name) in ENDS {
        row(name, &|run| run.count(end).to_string());
    }
    row("questions for the model alone, answered", &|run| {
        let (answered, asked) = run.own();
        percent(answered, asked)
    });
    row("longest time in which no such was", &|run| {
        minutes(run.longest_silence())
    });
    row("normal again after the turn of the hour", &|run| {
        run.full_again().map_or_else(|| "never".to_owned(), minutes)
    });
    row("commands answered", &|run| {
        format!("{:.1} %", run.commands())
    });
    row("commands, p99", &|run| short(run.commands_p99()));
    row("calls at the API, refused", &|run| {
        format!("{}, {}", run.calls, run.refused)
    });
    table.tell("quota")
}
