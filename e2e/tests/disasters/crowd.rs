//! A crowd: messages at their times, whatever became of those before, and every answer with its text.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Longer than the bot's deadline: whoever gives up first hides how the bot did.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How a question begins that nobody else asks.
const OWN: &str = "My server number";
/// No crowd is larger than that.
const MOST: usize = 5000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `!ping`
    Command,
    /// `ai-chat`
    Talk,
    /// `!deep`, the feature that goes viral
    Deep,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    at: Duration,
    kind: Kind,
    text: String,
}

/// How it fared.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// When it was due, from the beginning.
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    /// Whether it was a question that nobody else has asked.
    pub(crate) own: bool,
    /// From when it was due: a crowd that is late itself must not look good.
    pub(crate) latency: Duration,
    /// As the bot says; `lost` where it said nothing.
    pub(crate) outcome: String,
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct Reply {
    outcome: String,
    answer: String,
}

/// Messages of a kind, so many a second, from one time to another.
pub(crate) fn stream(kind: Kind, per_second: u32, from: Duration, to: Duration) -> Vec<Ask> {
    let every = Duration::from_secs(1) / per_second;
    let mut asks = Vec::new();
    let mut at = from;
    while at < to {
        let text = text(kind, asks.len(), at);
        asks.push(Ask { at, kind, text });
        at += every;
    }
    asks
}

/// Of ten talks three are pleasantries, three ask what others ask too, and four are somebody's own.
fn text(kind: Kind, n: usize, at: Duration) -> String {
    let own = at.as_millis();
    match (kind, n % 10) {
        (Kind::Command, _) => "!ping".to_owned(),
        (Kind::Deep, _) => format!("!deep What comes after release {own}?"),
        (Kind::Talk, 0 | 3 | 6) => "Good morning!".to_owned(),
        (Kind::Talk, 1 | 4 | 7) => {
            format!("What is new in release {} of the server?", n / 3 % 5)
        }
        (Kind::Talk, _) => format!("{OWN} {own} does not start, what now?"),
    }
}

/// Sends all of it, and waits for every answer.
pub(crate) async fn send(bot: SocketAddr, mut asks: Vec<Ask>) -> Result<Vec<Answer>> {
    ensure!(
        bot.ip().is_loopback(),
        "a crowd is for a bot on this machine"
    );
    ensure!(asks.len() <= MOST, "{} messages are too many", asks.len());
    asks.sort_by_key(|ask| ask.at);
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .build()
        .context("cannot make an HTTP client")?;
    let url = format!("http://{bot}/chat");
    let start = Instant::now();
    let mut under_way = JoinSet::new();
    for ask in asks {
        sleep_until(start + ask.at).await;
        let body = json!({"message": ask.text, "user": "visitor"});
        let request = client.post(&url).json(&body);
        under_way.spawn(one(request, ask, start));
    }
    Ok(under_way.join_all().await)
}

async fn one(request: reqwest::RequestBuilder, ask: Ask, start: Instant) -> Answer {
    let reply = async { request.send().await?.json::<Reply>().await }.await;
    let latency = start.elapsed().saturating_sub(ask.at);
    let (outcome, text) = match reply {
        Ok(reply) => (reply.outcome, reply.answer),
        Err(_) => ("lost".to_owned(), String::new()),
    };
    Answer {
        at: ask.at,
        kind: ask.kind,
        own: ask.text.starts_with(OWN),
        latency,
        outcome,
        text,
    }
}
