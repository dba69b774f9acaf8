//! The bot's own page in a real browser, on a phone and on a desktop.

mod access;
mod away;
mod hands;

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use e2e::bot::Bot;
use e2e::browser::{Browser, Screen};
use e2e::page::{ENTER, SOON, await_answer, await_text, looks_right, say};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::mount::Mount;
use crate::support::trial;

const SECRET: &str = "only for this test";
const TAB: char = '\u{e004}'; // in WebDriver's alphabet

pub(crate) fn tests() -> Vec<Trial> {
    [("phone", Screen::Phone), ("desktop", Screen::Desktop)]
        .into_iter()
        .flat_map(|(name, screen)| {
            [
                trial(&format!("page_talks_on_a_{name}"), move |run| {
                    talks(run, screen)
                }),
                trial(&format!("page_obeys_moderators_on_a_{name}"), move |run| {
                    moderators(run, screen)
                }),
                trial(
                    &format!("page_can_be_used_by_all_on_a_{name}"),
                    move |run| can_be_used(run, screen),
                ),
            ]
        })
        .chain(access::tests())
        .chain(away::tests())
        .chain(hands::tests())
        .collect()
}

/// Send, see the answer; a feature vanishes and returns; a reload keeps what was said.
async fn talks(run: Arc<RunDir>, screen: Screen) -> Result<()> {
    let mut mount = Mount::new(&run)?;
    let bot = Bot::alone(&run, "bot", &mount.options()).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", screen).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    looks_right(&browser, "empty").await?;

    say(&browser, "!ping").await?;
    ensure!(await_answer(&browser, 1).await?.contains("Pong."));
    let markup = "<img src=x onerror=alert(1)> `code` and\n";
    say(&browser, markup.trim()).await?;
    await_answer(&browser, 2).await?;
    let harmless = "return [document.images.length, document.querySelectorAll('.me code').length]";
    assert_eq!(
        browser.script(harmless).await?,
        json!([0, 1]),
        "text is text"
    );
    looks_right(&browser, "talk").await?;

    let hint = "#hints [data-feature=summaries]";
    assert!(browser.is_visible(hint).await?, "what is on is offered");
    let states = [("summaries", "Disabled"), ("ai-chat", "Reduced")];
    mount.swap(1, "lighten", &states)?;
    await_text(&browser, "#level", "Careful mode: lighten").await?;
    let less = browser.texts("#less li").await?;
    let kind = "My answers are shorter for a little while.";
    assert_eq!(less, [kind, "Summaries are taking a short break."]);
    ensure!(browser.texts("#why").await?[0].contains("latency-p95 is high"));
    assert!(
        !browser.is_visible(hint).await?,
        "what is off is not offered"
    );
    say(&browser, "Hello!").await?;
    ensure!(await_answer(&browser, 3).await?.contains("shorter"));
    looks_right(&browser, "less").await?;
    mount.swap(0, "Normal", &[])?;
    await_text(&browser, "#level", "At your service").await?;
    assert!(browser.is_visible(hint).await?, "it returns by itself");
    assert!(!browser.is_visible("#banner").await?);

    let before = browser.texts("#log li").await?;
    browser.script("location.reload()").await?;
    await_condition("the talk after a reload", SOON, || async {
        Ok((browser.texts("#log li").await? == before).then_some(()))
    })
    .await?;

    say(&browser, "!remind 1s tea is ready").await?;
    await_answer(&browser, 4).await?;
    let reminder = await_answer(&browser, 5).await?;
    ensure!(reminder.contains("tea is ready"), "{reminder}");
    looks_right(&browser, "reminder").await?;
    quiet(&browser).await?;

    bot.terminate().await?;
    await_text(&browser, "#level", "Out for a moment").await?;
    say(&browser, "Are you there?").await?;
    ensure!(await_answer(&browser, 6).await?.contains("Try again"));
    looks_right(&browser, "away").await
}

/// A wrong secret is refused; stop and start are obeyed, and seen on the chat page.
async fn moderators(run: Arc<RunDir>, screen: Screen) -> Result<()> {
    let file = run.subfolder("secret")?.join("moderators");
    std::fs::write(&file, SECRET)?;
    let option = format!("--moderator-token-file={}", file.display());
    let bot = Bot::alone(&run, "bot", &[option]).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", screen).await?;
    browser.open(&bot.url("/desk")).await?;
    await_visible(&browser, "#login").await?;
    type_into(&browser, "#secret", "a guess").await?;
    await_text(&browser, "#login-error", "That is not the secret.").await?;
    let _expected = browser.complaints().await?; // the browser names the 401
    browser.screenshot("login").await?;
    browser.find("#secret").await?.clear().await?;
    type_into(&browser, "#secret", SECRET).await?;
    await_text(&browser, "#state", "At work").await?;
    assert_eq!(browser.texts(".feature").await?.len(), 11);
    assert_eq!(
        browser.texts("#queues dt").await?,
        ["critical", "important", "luxury"]
    );

    order(&browser, "stop", 2).await?;
    await_text(&browser, "#state", "Stopped by a moderator").await?;
    browser.screenshot("stopped-desk").await?;
    sideways(&browser).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "The evening off").await?;
    say(&browser, "Hello!").await?;
    ensure!(await_answer(&browser, 1).await?.contains("evening off"));
    say(&browser, "!ping").await?;
    ensure!(
        await_answer(&browser, 2).await?.contains("Pong."),
        "commands work"
    );
    looks_right(&browser, "stopped").await?;

    browser.open(&bot.url("/desk")).await?;
    await_text(&browser, "#state", "Stopped by a moderator").await?;
    order(&browser, "start", 1).await?;
    await_text(&browser, "#state", "At work").await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    quiet(&browser).await?;

    browser.open(&bot.url("/desk")).await?;
    await_visible(&browser, "#logout").await?;
    browser.find("#logout").await?.click().await?;
    await_visible(&browser, "#login").await
}

/// Every control has a name, the keyboard reaches each in a sensible order, and the sheet on a phone
/// gives the focus back.
async fn can_be_used(run: Arc<RunDir>, screen: Screen) -> Result<()> {
    let bot = Bot::alone(&run, "bot", &[]).await?;
    let browser = Browser::start(Arc::clone(&run), "browser", screen).await?;
    browser.open(&bot.url("/")).await?;
    await_text(&browser, "#level", "At your service").await?;
    let nameless = browser.script(NAMELESS).await?;
    assert_eq!(nameless, json!([]), "controls without a name");

    let mut order = Vec::new();
    browser.script("document.activeElement.blur()").await?;
    browser
        .find("body")
        .await?
        .send_keys(&TAB.to_string())
        .await?;
    for _ in 0..12 {
        let focus = browser.script(FOCUS).await?;
        order.push(focus.as_str().context("a name")?.to_owned());
        press(&browser, TAB).await?;
    }
    let place = |what: &str| {
        let found = order.iter().position(|name| name == what);
        found.with_context(|| format!("{what} is not reached: {order:?}"))
    };
    let mut wanted = vec![place("skip")?, place("main")?, place("What can you do?")?];
    wanted.extend([place("message")?, place("Send")?]);
    assert!(wanted.is_sorted(), "{order:?}");

    let long = "x".repeat(1900);
    let fill = format!(
        "const field = document.querySelector('#message'); field.value = '{long}'; \
         field.dispatchEvent(new Event('input'))"
    );
    browser.script(&fill).await?;
    await_text(&browser, "#length", "1900 of 2000 characters").await?;
    looks_right(&browser, "long").await?;

    if screen == Screen::Phone {
        assert!(!browser.is_visible("#house").await?);
        browser.find("#open-house").await?.click().await?;
        await_visible(&browser, "#house").await?;
        browser.screenshot("sheet").await?;
        assert_eq!(browser.script(FOCUS).await?, "Close");
        press(&browser, '\u{e00c}').await?; // Escape
        assert!(!browser.is_visible("#house").await?);
        assert_eq!(browser.script(FOCUS).await?, "What is on");
    } else {
        assert!(browser.is_visible("#house").await?);
    }
    sideways(&browser).await?;
    browser.open(&bot.url("/desk")).await?;
    await_visible(&browser, "#closed").await?;
    browser.screenshot("closed-desk").await?;
    sideways(&browser).await?;
    quiet(&browser).await
}

async fn type_into(browser: &Browser, selector: &str, text: &str) -> Result<()> {
    let field = browser.find(selector).await?;
    field.send_keys(&format!("{text}{ENTER}")).await?;
    Ok(())
}

/// To whatever has the focus.
async fn press(browser: &Browser, key: char) -> Result<()> {
    let focused = match browser.find(":focus").await {
        Ok(focused) => focused,
        Err(_) => browser.find("body").await?, // past the last control
    };
    focused.send_keys(&key.to_string()).await?;
    Ok(())
}

/// What hurts is asked twice.
async fn order(browser: &Browser, what: &str, clicks: u32) -> Result<()> {
    for _ in 0..clicks {
        let button = browser.find(&format!("[data-order={what}]")).await?;
        button.click().await?;
    }
    Ok(())
}

async fn await_visible(browser: &Browser, selector: &str) -> Result<()> {
    await_condition(&format!("{selector} to be seen"), SOON, || async {
        Ok(browser.is_visible(selector).await?.then_some(()))
    })
    .await
}

/// Nothing was written to the console.
async fn quiet(browser: &Browser) -> Result<()> {
    let complaints = browser.complaints().await?;
    ensure!(complaints.is_empty(), "the console: {complaints:?}");
    Ok(())
}

async fn sideways(browser: &Browser) -> Result<()> {
    let page = "const page = document.documentElement; return page.scrollWidth > page.clientWidth";
    ensure!(
        browser.script(page).await? == Value::Bool(false),
        "it scrolls sideways"
    );
    Ok(())
}

/// Controls that a screen reader would have no word for.
const NAMELESS: &str = "
return [...document.querySelectorAll('a, button, input, textarea, summary, [tabindex]')]
  .filter((control) => !(control.getAttribute('aria-label') || control.textContent.trim()
    || [...control.labels ?? []].some((label) => label.textContent.trim())))
  .map((control) => control.outerHTML);";

/// What has the focus, by id or by words.
const FOCUS: &str = "
const at = document.activeElement;
if (at === document.body) return 'nothing';
if (at.matches('.skip')) return 'skip';
if (at.matches('main')) return 'main';
if (at.matches('textarea')) return at.id;
return at.getAttribute('aria-label') ?? at.textContent.trim();";
