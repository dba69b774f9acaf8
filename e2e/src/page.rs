//! The bot's page, as a test reads it and writes on it, whoever started the bot.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::json;

use crate::browser::Browser;
use crate::wait::await_condition;

/// On a busy machine, a browser takes its time; nothing here is timed.
pub const SOON: Duration = Duration::from_secs(90);
/// The key that sends, in `WebDriver`'s alphabet.
pub const ENTER: char = '\u{e007}';

/// Says something as a person does: into the field, then Enter.
pub async fn say(browser: &Browser, message: &str) -> Result<()> {
    let field = browser.find("#message").await?;
    field.send_keys(message).await?;
    field.send_keys(&ENTER.to_string()).await?;
    Ok(())
}

/// The text of the `count`-th answer after the greeting, once it is more than the promise of one.
pub async fn await_answer(browser: &Browser, count: usize) -> Result<String> {
    await_condition(&format!("answer {count}"), SOON, || async {
        let promised = browser.texts("#log .waiting").await?;
        let said = browser.texts("#log li.bot").await?;
        match said.get(count) {
            Some(text) if promised.is_empty() => Ok(Some(text.clone())),
            _ => bail!("so far: {said:?}"),
        }
    })
    .await
}

/// Waits until what the selector finds has this text.
pub async fn await_text(browser: &Browser, selector: &str, wanted: &str) -> Result<()> {
    await_condition(&format!("{selector} to say {wanted}"), SOON, || async {
        let said = browser.texts(selector).await?.join(" ");
        if said == wanted {
            return Ok(Some(()));
        }
        bail!("it says {said:?}")
    })
    .await
}

/// Nothing sticks out; what was said last, and what one writes with, is on the screen. A picture is kept.
pub async fn looks_right(browser: &Browser, what: &str) -> Result<()> {
    browser.screenshot(what).await?;
    let wrong = browser.script(LOOK).await?;
    ensure!(wrong == json!([]), "{what}: {wrong}");
    Ok(())
}

const LOOK: &str = "
const box = (selector) => document.querySelector(selector).getBoundingClientRect();
const [page, field, room, last] =
  [document.documentElement, box('#message'), box('main'), box('#log li:last-child')];
return Object.entries({
  'the page scrolls sideways': page.scrollWidth > page.clientWidth,
  'the page scrolls as a whole': page.scrollHeight > page.clientHeight,
  'the field is out of sight': field.bottom > innerHeight || field.width < 100,
  'a bubble is out of line': Math.abs(box('#log').right - box('form').right) > 1,
  'the last words are out of sight': last.bottom > room.bottom + 1 || last.bottom < room.top,
}).filter(([, wrong]) => wrong).map(([what]) => what);";
