//! What was decided live is what `brownout replay` decides over the same readings.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::exporter::Gauge;
use e2e::harness::{Ctx, trial};
use e2e::operator::{Operator, executable};
use libtest_mimic::Trial;
use serde_json::{Map, Value, json};

use crate::faults_support::{INTERVAL, await_level, await_live, await_ticks};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial(
        "live_history_is_what_replay_says",
        history_is_what_replay_says,
    )]
}

/// Its `for` is over between two ticks, so that there are extra ones.
const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot, namespace: NAMESPACE}
spec:
  interval: 1s
  signals:
  - {name: backlog, query: 'max(bot_queue_depth{job=\"NAMESPACE\"})'}
  - {name: spare, query: 'min(bot_spare_workers{job=\"NAMESPACE\"})'}
  features: [{name: animations, tier: Luxury}, {name: chat, tier: Important}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: backlog, above: '200', for: 2s500ms}]}
    tiers: {luxury: Disabled}
  - name: lighten
    when:
      all:
      - {signal: backlog, above: '400'}
      - {signal: spare, below: '3', for: 1s}
    tiers: {important: Disabled}
  recovery: {after: 3s, tolerance: 20%}
  missing: {after: 4s, then: lighten}
";

/// What each signal read, by the tick's milliseconds.
type Ticks = BTreeMap<i64, Vec<(String, Value)>>;

async fn history_is_what_replay_says(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let backlog = bot.gauge("bot_queue_depth", &[]);
    let spare = bot.gauge("bot_spare_workers", &[]);
    backlog.set(10.0);
    spare.set(8.0);
    let read = format!("bot_spare_workers{{job=\"{}\"}}", ctx.job());
    ctx.prometheus()
        .await_value(&read, Duration::from_secs(30), |value| value > 7.0)
        .await?;
    let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
    options
        .flags
        .push("--log-filter=warn,brownout=debug".to_owned());
    let operator = Operator::start(Arc::clone(&ctx.environment().run), &options).await?;
    let yaml = POLICY.replace("NAMESPACE", ctx.namespace());
    ctx.apply(&yaml).await?;
    incident(&ctx, &operator, &backlog, &spare).await?;
    // blindness, and back
    bot.set_broken(true);
    await_level(&ctx, "bot", 2).await?;
    bot.set_broken(false);
    let status = await_level(&ctx, "bot", 0).await?;
    await_ticks(&operator, "bot", 1).await?;

    let ticks = logged(&operator)?;
    let report = replay(&yaml, &series(&ticks))?;
    let live: Vec<Value> = status
        .history
        .iter()
        .map(as_replay_says)
        .collect::<Result<_>>()?;
    let replayed = report["transitions"].as_array().context("transitions")?;
    ensure!(
        live.len() >= 6,
        "an incident with few transitions: {live:#?}"
    );
    ensure!(&live == replayed, "live: {live:#?}\nreplay: {replayed:#?}");
    ensure!(report["evaluations"] == ticks.len(), "evaluations");
    ensure!(
        ticks.keys().any(|at| at % INTERVAL != 0),
        "there was no tick between two regular ones"
    );
    Ok(())
}

/// Up one rung by its `for`, up the next, down, and a flap.
async fn incident(ctx: &Ctx, operator: &Operator, backlog: &Gauge, spare: &Gauge) -> Result<()> {
    await_ticks(operator, "bot", 2).await?;
    backlog.set(300.0);
    await_level(ctx, "bot", 1).await?;
    backlog.set(500.0);
    spare.set(2.0);
    await_level(ctx, "bot", 2).await?;
    backlog.set(10.0);
    spare.set(8.0);
    await_level(ctx, "bot", 0).await?;
    backlog.set(250.0);
    await_live(operator, "bot", "a breach", |live| {
        live["comparisons"][0]["verdict"] == "Breached"
    })
    .await?;
    backlog.set(180.0); // neither breached nor clear
    await_live(operator, "bot", "neither", |live| {
        live["comparisons"][0]["verdict"] == "Between"
    })
    .await?;
    backlog.set(10.0);
    await_ticks(operator, "bot", 2).await?;
    Ok(())
}

/// Every tick that the operator has decided, from its log.
fn logged(operator: &Operator) -> Result<Ticks> {
    let mut ticks = Ticks::new();
    for line in std::fs::read_to_string(operator.log())?.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue; // the end of the log may be half a line
        };
        if line["message"] != "tick" {
            continue;
        }
        let at = line["at"].as_i64().context("a tick without a time")?;
        let readings: Map<String, Value> =
            serde_json::from_str(line["readings"].as_str().unwrap_or_default())?;
        ticks.insert(at, readings.into_iter().collect());
    }
    Ok(ticks)
}

fn series(ticks: &Ticks) -> Value {
    let mut signals: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (at, readings) in ticks {
        for (name, reading) in readings {
            let seconds = at.div_euclid(1000);
            let time: Value =
                serde_json::from_str(&format!("{seconds}.{:03}", at.rem_euclid(1000)))
                    .unwrap_or_default();
            signals
                .entry(name)
                .or_default()
                .push(json!([time, reading]));
        }
    }
    json!({ "signals": signals })
}

/// Runs the real command.
fn replay(policy: &str, series: &Value) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let (policy_file, series_file) = (
        folder.path().join("policy.yaml"),
        folder.path().join("series.json"),
    );
    std::fs::write(&policy_file, policy)?;
    std::fs::write(&series_file, series.to_string())?;
    let output = Command::new(executable()?)
        .arg("replay")
        .args(["-o", "json", "-f"])
        .arg(&policy_file)
        .arg("--series")
        .arg(&series_file)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "replay failed: {said}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// An entry of status.history with the fields that a replay's transition has, written alike.
fn as_replay_says(entry: &brownout::api::HistoryEntry) -> Result<Value> {
    let mut entry = serde_json::to_value(entry)?;
    let fields = ["at", "from", "to", "reason", "signal", "value", "threshold"];
    Ok(fields
        .iter()
        .map(|field| ((*field).to_owned(), entry[*field].take()))
        .collect())
}
