//! The embedded default: no token, no network, nothing to install.

use std::sync::Arc;

use anyhow::Result;
use e2e::bot::Bot;
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;

use crate::support::{chat, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial("alone_it_answers", answers)]
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
