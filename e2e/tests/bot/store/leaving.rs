//! A page that is reloaded, and a client that is killed, leave in the middle of what they asked.

use std::sync::Arc;

use anyhow::{Result, ensure};
use e2e::bot::Bot;
use e2e::run_dir::RunDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{ANN, options, outcome, say};

const LEAVING: usize = 300;

/// Of a bot without a database of its own, too, nothing is lost by it.
pub(super) async fn who_leaves(run: Arc<RunDir>) -> Result<()> {
    let bot = Bot::alone(&run, "bot", &options("sqlite::memory:")).await?;
    ensure!(outcome(&bot, "!remind 2h tea is ready", "").await? == "ok");
    for _ in 0..LEAVING {
        let mut client = TcpStream::connect(bot.address()).await?;
        let request = format!("GET /inbox?session={ANN} HTTP/1.1\r\nHost: bot\r\n\r\n");
        client.write_all(request.as_bytes()).await?;
    }
    let (_, reply) = say(&bot, "!reminders", "").await?;
    let text = reply["answer"].as_str().unwrap_or_default();
    ensure!(text.contains("tea is ready"), "{reply}");
    Ok(())
}
