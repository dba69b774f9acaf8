//! Whether all can use the page: by keyboard alone, and without motion where none is wanted.

use std::sync::Arc;

use anyhow::{Result, ensure};
use e2e::bot::Bot;
use e2e::browser::{Browser, Screen};
use e2e::page::{SOON, await_answer, await_text, say};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::access::SCHEMES;
use super::{TAB, await_visible, press};
use crate::mount::Mount;
use crate::support::trial;

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("page_needs_no_mouse", keyboard),
        trial("page_is_still_where_that_is_wanted", still),
    ]
}

/// Tab reaches everything in the order in which it is seen, and one sees where one is; Enter sends.
async fn keyboard(run: Arc<RunDir>) -> Result<()> {
    let mut mount = Mount::new(&run)?;
    let bot = Bot::alone(&run, "bot", &mount.options()).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", Screen::Desktop).await?;
    mount.swap(1, "lighten", &[("ai-chat", "Reduced")])?;
    for (path, stops) in [("/", 9), ("/desk", 2)] {
        browser.open(&bot.url(path)).await?;
        if path == "/" {
            await_text(&browser, "#level", "Careful mode: lighten").await?;
        } else {
            await_visible(&browser, "#closed").await?;
        }
        for scheme in SCHEMES {
            browser.prefer(&[("prefers-color-scheme", scheme)]).await?;
            browser.script("document.activeElement.blur()").await?;
            let mut seen = 0;
            for _ in 0..stops {
                press(&browser, TAB).await?;
                let at = browser.script(MARKED).await?;
                ensure!(at["marked"] == json!(true), "{path} {scheme}: {at}");
                seen += u32::from(at["name"] != "BODY");
            }
            ensure!(seen >= stops - 1, "{path}: {seen} of {stops}");
        }
    }

    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "Careful mode: lighten").await?;
    let new_line = "\u{e008}\u{e007}\u{e000}"; // Shift and Enter, and nothing held any more
    let field = browser.find("#message").await?;
    field.send_keys(&format!("!ping{new_line}")).await?;
    let typed = browser
        .script("return document.querySelector('#message').value")
        .await?;
    assert_eq!(typed, json!("!ping\n"), "it is not sent yet");
    say(&browser, "").await?; // Enter
    ensure!(await_answer(&browser, 1).await?.contains("Pong."));
    let focus = browser.script("return document.activeElement.id").await?;
    assert_eq!(focus, json!("message"), "one can go on writing");
    Ok(())
}

/// Whether what has the focus is marked: by an outline of its own, or by its form.
const MARKED: &str = "
const at = document.activeElement;
const around = at.matches('textarea') ? at.form : at;
const style = getComputedStyle(around);
const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
const ringed = around !== at && style.boxShadow.includes(' 0px 0px 0px 1px');
return { name: at.id || at.tagName, marked: at === document.body || outlined || ringed };";

/// The talk waits for ever; commands are answered with confetti, where motion is not unwanted.
async fn still(run: Arc<RunDir>) -> Result<()> {
    let options = [
        "--workers-important=0".to_owned(),
        "--deadline=5m".to_owned(),
    ];
    let bot = Bot::alone(&run, "bot", &options).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", Screen::Desktop).await?;
    for (motion, moves) in [("no-preference", true), ("reduce", false)] {
        browser
            .prefer(&[("prefers-reduced-motion", motion)])
            .await?;
        browser
            .script("sessionStorage.clear()")
            .await
            .unwrap_or(Value::Null); // there is no page yet
        browser.open(&bot.url("/")).await?;
        await_text(&browser, "#level", "At your service").await?;
        browser.script(COUNT).await?;
        say(&browser, "Hello!").await?;
        await_visible(&browser, ".dots").await?;
        let moving = browser
            .script("return document.getAnimations().length > 0")
            .await?;
        assert_eq!(moving, json!(moves), "{motion}: the dots");
        let count = async || -> Result<Option<u64>> {
            Ok(browser.script("return window.pieces").await?.as_u64())
        };
        // an answer does not wait long for its animation: on a busy machine it goes without
        await_condition("an answer with an animation", SOON, || async {
            say(&browser, "!ping").await?;
            let animated = browser.script("return window.animated").await?;
            Ok((animated.as_u64() > Some(0)).then_some(()))
        })
        .await?;
        await_condition("what it looks like", SOON, || async {
            Ok((count().await? > Some(0)).eq(&moves).then_some(()))
        })
        .await?;
        let moving = browser
            .script("return document.getAnimations().length > 0")
            .await?;
        ensure!(moves || moving == json!(false), "{motion}: something moves");
    }
    Ok(())
}

/// Pieces of confetti that were ever on the page, and answers that came with some.
const COUNT: &str = "
window.pieces = window.animated = 0;
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) pieces += [...addedNodes].filter((node) => node.matches?.('.confetti')).length;
}).observe(document.body, { childList: true });
const fetched = window.fetch;
window.fetch = async (...request) => {
  const response = await fetched(...request);
  response.clone().json().then((reply) => { animated += reply.animation ? 1 : 0; }, () => {});
  return response;
};";
