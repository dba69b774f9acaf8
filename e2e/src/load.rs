//! An open-loop load on a bot of this machine: messages are sent at their times, whatever became of
//! those before, as people do. Bounded in number, and it ends by itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::node::is_inside;

/// Longer than a bot's deadline: whoever gives up first hides how the bot did.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No load sends more than that.
const MOST: u32 = 20_000;

/// What is sent.
#[derive(Debug, Clone)]
pub struct Load {
    /// The message.
    pub message: String,
    /// The time from one to the next.
    pub every: Duration,
    /// How many are sent at most.
    pub count: u32,
}

/// How one message fared.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When it was due.
    pub at: Instant,
    /// From when it was due to the answer: a load that is late itself must not look good.
    pub latency: Duration,
    /// As the bot says: `ok`, `off`, `shed`, `error`; or `lost`, when it said nothing.
    pub outcome: String,
    /// Whether confetti came with it.
    pub animated: bool,
}

#[derive(Deserialize)]
struct Reply {
    outcome: String,
    animation: Option<serde_json::Value>,
}

impl Load {
    /// Sends it until all is sent or `stop`, and gives every answer, in the order in which they came.
    pub async fn drive(&self, bot: SocketAddr, stop: &CancellationToken) -> Result<Vec<Answer>> {
        ensure_near(bot)?;
        ensure!(self.count <= MOST, "{} messages are too many", self.count);
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build();
        let client = client.context("cannot make an HTTP client")?;
        let url = format!("http://{bot}/chat");
        let start = Instant::now();
        let mut under_way = JoinSet::new();
        for number in 0..self.count {
            let at = start + self.every * number;
            if stop.run_until_cancelled(sleep_until(at)).await.is_none() {
                break;
            }
            let message = json!({"message": self.message, "user": "visitor"});
            under_way.spawn(ask(client.post(&url).json(&message), at));
        }
        Ok(under_way.join_all().await)
    }
}

/// Load goes to nobody else.
pub(crate) fn ensure_near(bot: SocketAddr) -> Result<()> {
    ensure!(
        bot.ip().is_loopback() || is_inside(bot.ip()),
        "the load is for a bot on this machine, not for {bot}"
    );
    Ok(())
}

async fn ask(request: reqwest::RequestBuilder, at: Instant) -> Answer {
    let reply = async { request.send().await?.json::<Reply>().await }.await;
    let (outcome, animated) = match reply {
        Ok(reply) => (reply.outcome, reply.animation.is_some()),
        Err(_) => ("lost".to_owned(), false),
    };
    Answer {
        at,
        latency: at.elapsed(),
        outcome,
        animated,
    }
}

/// The middle one of some latencies; none of none.
pub fn median(latencies: impl IntoIterator<Item = Duration>) -> Option<Duration> {
    let mut sorted: Vec<Duration> = latencies.into_iter().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let seconds = |all: &[u64]| median(all.iter().copied().map(Duration::from_secs));
        assert_eq!(seconds(&[9, 1, 5]), Some(Duration::from_secs(5)));
        assert_eq!(seconds(&[]), None);
    }

    #[tokio::test]
    async fn a_load_is_for_this_machine_only() {
        let load = Load {
            message: "!ping".to_owned(),
            every: Duration::ZERO,
            count: 1,
        };
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 80));
        assert!(
            load.drive(elsewhere, &CancellationToken::new())
                .await
                .is_err()
        );
    }
}
