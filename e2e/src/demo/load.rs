//! An open-loop load on the demo's own bot, and on nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::record::{Answer, Outcome, Record};
use super::story::Arrival;
use crate::load::ensure_near;

/// Longer than the bot's own deadline: whoever gives up first hides how the bot did.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Sends each message at its time, whatever became of those before, and waits for the answers.
pub(super) async fn drive(
    bot: SocketAddr,
    arrivals: &[Arrival],
    record: &Arc<Record>,
) -> Result<()> {
    ensure_near(bot)?;
    let client = Client::builder().timeout(TIMEOUT).no_proxy().build();
    let client = client.context("cannot make an HTTP client")?;
    let url: Arc<str> = format!("http://{bot}/chat").into();
    let mut under_way = JoinSet::new();
    for &arrival in arrivals {
        sleep_until(Instant::from_std(record.start() + arrival.at)).await;
        let (client, url, record) = (client.clone(), Arc::clone(&url), Arc::clone(record));
        under_way.spawn(async move {
            let outcome = ask(&client, &url, arrival).await;
            // from when it should have been sent: a load that is late itself must not look good
            let latency = record.elapsed().saturating_sub(arrival.at);
            record.answered(Answer {
                at: arrival.at,
                kind: arrival.kind,
                latency,
                outcome,
            });
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
    Ok(())
}

#[derive(Deserialize)]
struct Reply {
    outcome: String,
}

/// An answer that cannot be had or understood is a failure like the bot's own.
async fn ask(client: &Client, url: &str, arrival: Arrival) -> Outcome {
    let message = json!({"message": arrival.kind.message(), "user": "visitor"});
    let Ok(answer) = client.post(url).json(&message).send().await else {
        return Outcome::Failed;
    };
    match answer.json::<Reply>().await {
        Ok(reply) if reply.outcome == "ok" => Outcome::Answered,
        Ok(reply) if reply.outcome == "off" => Outcome::Declined,
        _ => Outcome::Failed,
    }
}
