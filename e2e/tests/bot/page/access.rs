//! Whether all can read the page: contrast and room in every state, on every screen, in any script.

use std::sync::Arc;

use anyhow::{Result, ensure};
use e2e::bot::Bot;
use e2e::browser::{Browser, Screen};
use e2e::page::{await_answer, await_text, say};
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;
use serde_json::json;

use super::{SECRET, await_visible, order, type_into};
use crate::mount::Mount;
use crate::support::trial;

const PHONE: (u32, u32) = (390, 844);
const NARROW: (u32, u32) = (320, 568);
const DESKTOP: (u32, u32) = (1280, 800);
const SIZES: [(u32, u32); 3] = [PHONE, NARROW, DESKTOP];
pub(super) const SCHEMES: [&str; 2] = ["light", "dark"];

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("page_can_be_read_in_every_state", states),
        trial("page_holds_any_text", any_text),
    ]
}

/// Each text has contrast, everything fits, in light and dark, on three screens; pictures are kept.
async fn readable(browser: &Browser, what: &str) -> Result<()> {
    for size in SIZES {
        browser.resize(size.0, size.1).await?;
        for scheme in SCHEMES {
            browser.prefer(&[("prefers-color-scheme", scheme)]).await?;
            let name = format!("{what}-{}-{scheme}", size.0);
            browser.screenshot(&name).await?;
            let found = browser.script(include_str!("contrast.js")).await?;
            ensure!(found["texts"].as_u64() > Some(3), "{name}: {found}");
            ensure!(found["faint"] == json!([]), "{name}: {found}");
            fits(browser, &name).await?;
        }
    }
    Ok(())
}

async fn fits(browser: &Browser, what: &str) -> Result<()> {
    let wrong = browser.script(include_str!("fits.js")).await?;
    ensure!(wrong == json!([]), "{what}: {wrong}");
    Ok(())
}

async fn states(run: Arc<RunDir>) -> Result<()> {
    let file = run.subfolder("secret")?.join("moderators");
    std::fs::write(&file, SECRET)?;
    let mut mount = Mount::new(&run)?;
    let mut options = vec![
        format!("--moderator-token-file={}", file.display()),
        "--user-per-minute=1".to_owned(),
        "--user-burst=2".to_owned(),
    ];
    options.extend(mount.options());
    let bot = Bot::alone(&run, "bot", &options).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", Screen::Desktop).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    readable(&browser, "empty").await?;
    for (count, text) in ["!help", "Hello!", "Who are you?"].into_iter().enumerate() {
        say(&browser, text).await?;
        await_answer(&browser, count + 1).await?;
    }
    say(&browser, "Too often?").await?;
    ensure!(await_answer(&browser, 4).await?.contains("Try again in"));
    readable(&browser, "normal").await?;

    let off = [
        "animations",
        "reactions",
        "analytics",
        "summaries",
        "deep-answers",
    ];
    let off = off.map(|feature| (feature, "Disabled"));
    let states = [&off[..], &[("ai-chat", "Reduced"), ("search", "Reduced")]].concat();
    mount.swap(2, "conserve", &states)?;
    await_text(&browser, "#level", "Careful mode: conserve").await?;
    readable(&browser, "careful").await?;
    browser.resize(PHONE.0, PHONE.1).await?;
    browser.find("#open-house").await?.click().await?;
    await_visible(&browser, "#close-house").await?;
    for scheme in SCHEMES {
        browser.prefer(&[("prefers-color-scheme", scheme)]).await?;
        browser.screenshot(&format!("sheet-{scheme}")).await?;
        let found = browser.script(include_str!("contrast.js")).await?;
        ensure!(found["faint"] == json!([]), "sheet: {found}");
        fits(&browser, "sheet").await?;
    }

    browser.open(&bot.url("/desk")).await?;
    await_visible(&browser, "#login").await?;
    type_into(&browser, "#secret", "a guess").await?;
    await_text(&browser, "#login-error", "That is not the secret.").await?;
    readable(&browser, "login").await?;
    browser.find("#secret").await?.clear().await?;
    type_into(&browser, "#secret", SECRET).await?;
    await_text(&browser, "#state", "At work, in careful mode: conserve").await?;
    readable(&browser, "desk").await?;
    order(&browser, "stop", 2).await?;
    await_text(&browser, "#state", "Stopped by a moderator").await?;
    order(&browser, "reboot", 1).await?; // and is asked whether that is meant
    readable(&browser, "desk-stopped").await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "The evening off").await?;
    ensure!(
        browser.texts("#less li").await?.is_empty(),
        "all of it rests"
    );
    readable(&browser, "stopped").await?;

    bot.terminate().await?;
    await_text(&browser, "#level", "Out for a moment").await?;
    let count = browser.texts("#log li.bot").await?.len();
    say(&browser, "Are you there?").await?;
    await_answer(&browser, count).await?;
    readable(&browser, "away").await
}

/// Words without an end, a level with a name and a reason like that, and words from right to left.
async fn any_text(run: Arc<RunDir>) -> Result<()> {
    let mut mount = Mount::new(&run)?;
    let bot = Bot::alone(&run, "bot", &mount.options()).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", Screen::Desktop).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    let long = "conserve".repeat(20);
    mount.swap(1, &long, &[("ai-chat", "Reduced")])?;
    await_text(&browser, "#level", &format!("Careful mode: {long}")).await?;
    say(&browser, &"x".repeat(1500)).await?;
    await_answer(&browser, 1).await?;
    let hebrew = "שלום, מה שלומך? (ChatBotler) 123";
    browser.find("#message").await?.send_keys(hebrew).await?;
    let field = "return getComputedStyle(document.querySelector('#message')).direction";
    assert_eq!(browser.script(field).await?, json!("rtl"));
    say(&browser, "!").await?; // ends the sentence, and sends it
    await_answer(&browser, 2).await?;
    say(&browser, "and on in English").await?;
    await_answer(&browser, 3).await?;
    let directions = browser.script(DIRECTIONS).await?;
    assert_eq!(directions, json!(["ltr", "rtl", "ltr"]));
    for size in SIZES {
        browser.resize(size.0, size.1).await?;
        browser.screenshot(&format!("any-{}", size.0)).await?;
        fits(&browser, "any text").await?;
    }
    Ok(())
}

const DIRECTIONS: &str = "
return [...document.querySelectorAll('#log .me p')].map((said) => getComputedStyle(said).direction);";
