//! A page that loses its bot, or finds no place at it, and a moderator who reboots it.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use e2e::bot::Bot;
use e2e::browser::{Browser, Screen};
use e2e::page::{SOON, await_answer, await_text, looks_right, say};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::json;

use super::{SECRET, await_visible, order, type_into};
use crate::mount::Mount;
use crate::support::{series, trial};

pub(super) fn tests() -> Vec<Trial> {
    let sized = [("phone", Screen::Phone), ("desktop", Screen::Desktop)];
    let sized = sized.into_iter().flat_map(|(name, screen)| {
        let reboots = move |run| reboots(run, screen);
        let counts = move |run| counts_down(run, screen);
        [
            trial(&format!("page_sees_a_reboot_on_a_{name}"), reboots),
            trial(
                &format!("page_counts_down_to_the_next_try_on_a_{name}"),
                counts,
            ),
        ]
    });
    let mut tests: Vec<_> = sized.collect();
    tests.push(trial("page_without_a_stream_asks", asks));
    tests.push(trial("page_comes_again_unnoticed", comes_again));
    tests
}

/// The bot is gone: the page says so, when it tries next, and that it is back; nothing is reloaded.
async fn counts_down(run: Arc<RunDir>, screen: Screen) -> Result<()> {
    let mut bot = Bot::alone(&run, "bot", &[]).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", screen).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    browser.script("window.same = true").await?;
    bot.terminate().await?;
    await_text(&browser, "#level", "Out for a moment").await?;
    let first = seconds(&browser, |left| left > 1).await?; // after 1 comes the next countdown
    seconds(&browser, |left| left < first).await?;
    say(&browser, "!ping").await?;
    ensure!(await_answer(&browser, 1).await?.contains("Try again"));
    looks_right(&browser, "lost").await?;

    bot.restart(&run).await?;
    // sooner than the countdown would: it may have come by itself in between
    browser
        .script("document.querySelector('#try-now').click()")
        .await?;
    await_text(&browser, "#level", "At your service").await?;
    ensure!(!browser.is_visible("#lost").await?);
    browser.find(".meta button").await?.click().await?;
    ensure!(await_answer(&browser, 2).await?.contains("Pong."));
    assert_eq!(browser.script("return window.same").await?, json!(true));
    looks_right(&browser, "found").await?;

    bot.terminate().await?;
    await_text(&browser, "#level", "Out for a moment").await?;
    bot.restart(&run).await?;
    await_text(&browser, "#level", "At your service").await // by itself
}

/// Of the countdown, once they are as wanted.
async fn seconds(browser: &Browser, wanted: impl Fn(u32) -> bool) -> Result<u32> {
    await_condition("the countdown", SOON, || async {
        let said = browser.texts("#countdown").await?.concat();
        let left = said.strip_prefix("Trying again in ");
        let left = left.and_then(|left| left.strip_suffix(" s.")?.parse().ok());
        match left {
            Some(left) if wanted(left) => Ok(Some(left)),
            _ => bail!("it says {said:?}"),
        }
    })
    .await
}

/// There is no place for a stream: what changes is seen within seconds all the same, and reminders come.
async fn asks(run: Arc<RunDir>) -> Result<()> {
    let mut mount = Mount::new(&run)?;
    let mut options = vec!["--page-streams=0".to_owned()];
    options.extend(mount.options());
    let bot = Bot::alone(&run, "bot", &options).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", Screen::Phone).await?;
    browser.open(&bot.url("/")).await?;
    await_visible(&browser, "#message").await?;
    mount.swap(1, "lighten", &[("summaries", "Disabled")])?;
    await_text(&browser, "#level", "Careful mode: lighten").await?;
    say(&browser, "!remind 1s tea is ready").await?;
    await_answer(&browser, 1).await?;
    ensure!(await_answer(&browser, 2).await?.contains("tea is ready"));
    mount.swap(0, "Normal", &[])?;
    await_text(&browser, "#level", "At your service").await?;
    ensure!(!browser.is_visible("#banner").await?);

    let asked = "return performance.getEntriesByType('resource') \
        .filter((entry) => entry.name.endsWith('/status')).map((entry) => entry.startTime)";
    let times: Vec<f64> = await_condition("it to ask four times", SOON, || async {
        let times: Vec<f64> = serde_json::from_value(browser.script(asked).await?)?;
        Ok((times.len() >= 4).then_some(times))
    })
    .await?;
    let shortest = times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(f64::MAX, f64::min);
    ensure!(
        (4900.0..8000.0).contains(&shortest),
        "it asks every {shortest} ms"
    );
    let metrics = bot.metrics().await?;
    assert_eq!(series(&metrics, "bot_page_streams"), Some(0.0));
    let refused = series(&metrics, "bot_page_streams_refused_total");
    ensure!(refused >= Some(1.0), "{refused:?}");
    Ok(())
}

/// A stream that ends because it is old is nothing that anybody would see.
async fn comes_again(run: Arc<RunDir>) -> Result<()> {
    let bot = Bot::alone(&run, "bot", &["--page-stream-age=1s".to_owned()]).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", Screen::Desktop).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    let note = "window.moods = []; new MutationObserver(() => moods.push(document.body.dataset.mood)) \
        .observe(document.body, { attributes: true })";
    browser.script(note).await?;
    let ended = "return performance.getEntriesByType('resource') \
        .filter((entry) => entry.name.endsWith('/events')).length";
    await_condition("three streams to end", SOON, || async {
        let count = browser.script(ended).await?;
        Ok((count.as_u64() >= Some(3)).then_some(()))
    })
    .await?;
    let moods = browser.script("return moods").await?;
    let moods = moods.as_array().context("a list")?;
    ensure!(moods.iter().all(|mood| mood == "well"), "{moods:?}");
    Ok(())
}

/// The desk says what happens, and when it is over; whoever looks after the process starts it again.
async fn reboots(run: Arc<RunDir>, screen: Screen) -> Result<()> {
    let file = run.subfolder("secret")?.join("moderators");
    std::fs::write(&file, SECRET)?;
    let option = format!("--moderator-token-file={}", file.display());
    let mut bot = Bot::alone(&run, "bot", &[option]).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", screen).await?;
    browser.open(&bot.url("/desk")).await?;
    await_visible(&browser, "#login").await?;
    type_into(&browser, "#secret", SECRET).await?;
    await_text(&browser, "#state", "At work").await?;

    order(&browser, "reboot", 1).await?;
    await_text(&browser, "[data-order=reboot]", "Sure?").await?;
    await_text(&browser, "[data-order=reboot]", "Reboot").await?; // who does not answer was not sure
    order(&browser, "reboot", 2).await?;
    let ended = bot.exited().await;
    ensure!(ended.code() == Some(75), "{ended}");
    await_text(&browser, "#state", "Rebooting …").await?;
    let why = browser.texts("#state-why").await?.concat();
    ensure!(why.contains("started again"), "{why}");
    ensure!(
        !browser
            .find("[data-order=stop]")
            .await?
            .is_enabled()
            .await?
    );
    browser.screenshot("rebooting").await?;

    bot.restart(&run).await?;
    await_text(&browser, "#state", "At work").await?;
    let done = browser.texts("#answer").await?.concat();
    ensure!(done.contains("The reboot is done"), "{done}");
    ensure!(
        browser
            .find("[data-order=stop]")
            .await?
            .is_enabled()
            .await?
    );
    browser.screenshot("rebooted").await.map(drop)
}
