//! The model, its keys and quotas: the bot as a process, and an API that is as strict or as broken as each test wants.

mod answers;
mod keys;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::bot::Bot;
use e2e::model_server::ModelServer;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::support::{chat, trial};

const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("model_the_next_key_answers", keys::the_next_key_answers),
        trial("model_the_count_survives", keys::the_count_survives),
        trial("model_replicas_share_the_count", keys::replicas),
        trial("model_the_end_is_foreseen", keys::the_end_is_foreseen),
        trial("model_the_breaker_opens_and_closes", answers::breaker),
        trial("model_text_is_data", answers::text_is_data),
        trial("model_reduced_is_smaller", answers::reduced),
        trial("model_sessions_have_a_past", answers::sessions),
        trial("model_a_hang_ends_in_time", answers::hang),
        trial("model_no_answer_is_kind", answers::no_answer_is_kind),
        trial("model_searches_are_kept", answers::searches),
        trial("model_latency_grows_under_load", answers::load),
        trial("model_capacity_is_told", answers::capacity),
    ]
}

const FIRST: &str = "sk-first-0123456789";
const SECOND: &str = "sk-second-0123456789";

/// A bot that asks this server with two keys, `first` and `second`.
async fn bot(run: &RunDir, name: &str, server: &ModelServer, more: &[&str]) -> Result<Bot> {
    let keys = keys_file(run)?;
    let mut options = vec![
        format!("--ai-url={}", server.url()),
        "--ai-model=large".to_owned(),
        "--ai-small-model=small".to_owned(),
        format!("--ai-keys-file={}", keys.display()),
    ];
    options.extend(more.iter().map(|&option| option.to_owned()));
    Bot::alone(run, name, &options).await
}

fn keys_file(run: &RunDir) -> Result<PathBuf> {
    let path = run.logs().join("keys");
    fs::write(
        &path,
        format!("# preferred first\nfirst:{FIRST}\nsecond:{SECOND}\n"),
    )?;
    Ok(path)
}

/// Asks, and wants an answer of the model.
async fn answered(bot: &Bot, message: &str) -> Result<String> {
    let (status, reply) = chat(bot, message).await?;
    let text = reply["answer"].as_str().unwrap_or_default().to_owned();
    ensure!(
        status == 200 && text.contains("This is answer"),
        "{status}: {reply}"
    );
    Ok(text)
}

/// Asks, and wants the kind words for when there is no answer.
async fn silent(bot: &Bot, message: &str) -> Result<String> {
    let (status, reply) = chat(bot, message).await?;
    let text = reply["answer"].as_str().unwrap_or_default().to_owned();
    ensure!(
        status == 504 && reply["outcome"] == "error",
        "{status}: {reply}"
    );
    let kind = text.contains("larger mind") && text.contains("again in");
    ensure!(
        kind && !text.contains("quota") && !text.contains("429"),
        "{text}"
    );
    Ok(text)
}

async fn series(bot: &Bot, series: &str) -> Result<f64> {
    let text = bot.metrics().await?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.with_context(|| format!("{series} is not in\n{text}"))?;
    value.parse().with_context(|| format!("{series} {value}"))
}

/// The same number: they are counts.
fn is(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-9
}

async fn expect(bot: &Bot, name: &str, expected: f64) -> Result<()> {
    let value = series(bot, name).await?;
    ensure!(is(value, expected), "{name} is {value}, not {expected}");
    Ok(())
}

async fn await_series(bot: &Bot, name: &str, good: impl Fn(f64) -> bool) -> Result<f64> {
    await_condition(name, DEADLINE, || async {
        let value = series(bot, name).await?;
        if good(value) {
            return Ok(Some(value));
        }
        bail!("it is {value}")
    })
    .await
}
