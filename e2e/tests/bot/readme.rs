//! The block of bot/README.md that takes NATS and `PostgreSQL`, line by line as it stands there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::bot::Bot;
use e2e::paths::checkout;
use e2e::ports::Port;
use e2e::postgres::Postgres;
use e2e::process::{Process, Spec};
use e2e::run_dir::RunDir;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use crate::support::{chat, series, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial("readme_gateway_and_workers", more_than_one)]
}

const SOON: Duration = Duration::from_secs(60);

/// What the text has in one place, where this test has it.
struct Here {
    run: Arc<RunDir>,
    nats: Port,
    postgres: Postgres,
    /// What was exported.
    variables: BTreeMap<String, String>,
    servers: Vec<Process>,
    bots: Vec<Bot>,
}

async fn more_than_one(run: Arc<RunDir>) -> Result<()> {
    let text = std::fs::read_to_string(checkout().join("bot/README.md"))?;
    let mut blocks = text.split("\n```").skip(1).step_by(2);
    let block = blocks.find(|block| block.contains("nats-server --jetstream"));
    let block = block.and_then(|block| block.strip_prefix("sh\n"));
    let mut here = Here {
        nats: Port::reserve()?,
        postgres: Postgres::start(&run, "postgres").await?,
        run,
        variables: BTreeMap::new(),
        servers: Vec::new(),
        bots: Vec::new(),
    };
    for line in block.context("the block")?.lines() {
        here.line(line).await?;
    }
    ensure!(here.bots.len() == 3, "a gateway and two workers");

    let gateway = &here.bots[0];
    await_condition("luxury to be taken", SOON, || async {
        let (status, reply) = chat(gateway, "Good morning!").await?;
        ensure!(status == 200 && reply["outcome"] == "ok", "{reply}");
        Ok(reply["animation"].is_object().then_some(()))
    })
    .await?;
    for (bot, tier) in [(&here.bots[1], "Important"), (&here.bots[2], "Luxury")] {
        let name = format!("bot_jobs_taken_total{{tier=\"{tier}\"}}");
        let taken = series(&bot.metrics().await?, &name).context(name)?;
        ensure!(taken >= 1.0, "no worker took what is {tier}");
    }
    Ok(())
}

impl Here {
    async fn line(&mut self, line: &str) -> Result<()> {
        let line = line.split(" #").next().unwrap_or_default();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nats-server") => self.nats_server(words.collect()).await,
            Some("export") => {
                for variable in words {
                    let (name, _) = variable.split_once('=').context("a variable")?;
                    let value = match name {
                        "CHATBOTLER_NATS_URL" => {
                            variable.replace("localhost:4222", &self.nats.address())
                        }
                        "CHATBOTLER_STORE" => format!("{name}={}", self.postgres.url()),
                        _ => variable.to_owned(),
                    };
                    let value = value.trim_start_matches(name).trim_start_matches('=');
                    self.variables.insert(name.to_owned(), value.to_owned());
                }
                Ok(())
            }
            Some("chatbotler") => self.chatbotler(words.collect()).await,
            Some(other) => anyhow::bail!("nobody knows how to run {other:?} here"),
            None => Ok(()),
        }
    }

    async fn nats_server(&mut self, words: Vec<&str>) -> Result<()> {
        let monitoring = Port::reserve()?;
        let own = self.run.subfolder("nats")?;
        let mut spec = Spec::new("nats", Tool::NatsServer.find_or_build().await?)
            .flag("addr", "127.0.0.1")
            .flag("port", self.nats.number().to_string())
            .flag("http_port", monitoring.number().to_string());
        for word in words {
            spec = if word == "/var/lib/nats" {
                spec.arg(&own)
            } else {
                spec.arg(word)
            };
        }
        let server = Process::start(&self.run, &spec)?;
        let health = format!("http://{}/healthz", monitoring.address());
        server
            .await_ready(SOON, || async {
                e2e::http::get_text(&health).await.map(Some)
            })
            .await?;
        self.servers.push(server);
        Ok(())
    }

    async fn chatbotler(&mut self, words: Vec<&str>) -> Result<()> {
        let mut options: Vec<String> = words.into_iter().map(str::to_owned).collect();
        // the address is the test's to choose
        if let Some(at) = options.iter().position(|option| option == "--listen") {
            options.drain(at..at + 2);
        }
        let name = format!("bot-{}", self.bots.len());
        let bot = Bot::of_line(&self.run, &name, &options, &self.variables).await?;
        self.bots.push(bot);
        Ok(())
    }
}
