//! The chat page in a real browser, on a phone and on a desktop.

use anyhow::{Context, Result, ensure};
use e2e::browser::{Browser, Screen};
use e2e::harness::{Ctx, trial_within};
use e2e::page::{await_answer, await_text, looks_right, say};
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::json;

use crate::bot::{POLICY, SOON};

/// Starting a browser takes a while where many tests run.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(300);

pub(crate) fn tests() -> Vec<Trial> {
    [
        ("page_is_kind_on_a_phone", Screen::Phone),
        ("page_is_kind_on_a_desktop", Screen::Desktop),
    ]
    .into_iter()
    .map(|(name, screen)| trial_within(DEADLINE, name, move |ctx| is_kind(ctx, screen)))
    .collect()
}

async fn is_kind(ctx: Ctx, screen: Screen) -> Result<()> {
    let exporter = ctx.exporter().await?;
    let pressure = exporter.gauge("pressure", &[]);
    let bot = ctx.bot("bot-flags", &[]).await?;
    let browser = ctx.browser(screen).await?;
    let _operator = ctx.operator().await?;
    ctx.apply(&POLICY.replace("JOB", ctx.job())).await?;
    bot.await_level(0, SOON).await?;

    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    say(&browser, "Good morning! What can you do?").await?;
    await_answer(&browser, 1).await?;
    assert!(!browser.is_visible("#banner").await?, "all is well");
    await_confetti(&browser).await?;
    looks_right(&browser, "calm").await?;

    pressure.set(5.0);
    await_text(&browser, "#level", "Careful mode: lighten").await?;
    assert!(browser.is_visible("#banner").await?);
    let less = browser.texts("#less li").await?;
    assert_eq!(
        less,
        [
            "My answers are shorter for a little while.",
            "Animations are taking a short break."
        ],
        "what is off is named, and nothing else"
    );
    looks_right(&browser, "degrading").await?;
    say(&browser, "Tell me about tea.").await?;
    let shorter = await_answer(&browser, 3).await?;
    ensure!(
        shorter.contains("shorter"),
        "the answer says that it is short: {shorter}"
    );
    // what was thrown before may take its time to fall on a busy machine
    await_condition("the last confetti to be gone", SOON, || async {
        Ok((moving(&browser).await? == json!(0)).then_some(()))
    })
    .await?;
    say(&browser, "!ping").await?;
    await_answer(&browser, 4).await?;
    let still = moving(&browser).await?;
    assert_eq!(still, json!(0), "nothing moves while animations are off");
    looks_right(&browser, "degraded").await?;

    pressure.set(0.0);
    await_text(&browser, "#level", "At your service").await?;
    assert!(!browser.is_visible("#banner").await?, "it goes by itself");
    say(&browser, "Thank you!").await?;
    await_answer(&browser, 5).await?;
    looks_right(&browser, "recovered").await?;
    let complaints = browser.complaints().await?;
    assert!(complaints.is_empty(), "the console: {complaints:?}");

    bot.terminate().await?;
    await_text(&browser, "#level", "Out for a moment").await?;
    say(&browser, "Are you there?").await?;
    let kind = await_answer(&browser, 6).await?;
    assert!(kind.contains("try again"), "{kind}");
    looks_right(&browser, "away").await
}

/// How many things move.
async fn moving(browser: &Browser) -> Result<serde_json::Value> {
    let count = "return document.querySelectorAll('.confetti, .dots').length";
    browser.script(count).await
}

/// It is gone within two seconds, so it is counted as it comes, with the next answer.
async fn await_confetti(browser: &Browser) -> Result<()> {
    let watch = "window.seen = 0; new MutationObserver(() => { \
                 window.seen += document.querySelectorAll('.confetti').length; \
                 }).observe(document.body, {childList: true})";
    browser.script(watch).await?;
    say(browser, "!ping").await?;
    await_answer(browser, 2).await?;
    await_condition("confetti", SOON, || async {
        let seen = browser.script("return window.seen").await?;
        Ok((seen.as_u64().context("a number")? > 0).then_some(()))
    })
    .await
}
