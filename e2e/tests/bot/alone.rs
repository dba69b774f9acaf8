//! The embedded default: no token, no network, nothing to install.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::bot::Bot;
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;

use crate::support::{chat, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("alone_it_answers", answers),
        trial("alone_no_command_waits_for_luxury", does_not_wait),
    ]
}

async fn answers(run: Arc<RunDir>) -> Result<()> {
    let bot = Bot::alone(&run, "bot", &[]).await?;
    let (status, reply) = chat(&bot, "!ping").await?;
    assert_eq!((status, reply["answer"].as_str()), (200, Some("Pong.")));
    let (status, reply) = chat(&bot, "Hello!").await?;
    assert_eq!((status, reply["feature"].as_str()), (200, Some("ai-chat")));
    assert!(bot.terminate().await?.success());
    Ok(())
}

/// The queue of luxury has places, and nobody works it off: answers come without their animation.
async fn does_not_wait(run: Arc<RunDir>) -> Result<()> {
    let options = ["--workers-luxury=0".to_owned(), "--deadline=20s".to_owned()];
    let bot = Bot::alone(&run, "bot", &options).await?;
    let start = Instant::now();
    let (status, reply) = chat(&bot, "!ping").await?;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("ok")));
    assert!(reply["animation"].is_null(), "{reply}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    Ok(())
}
