//! Random queries over two tenants: no number that one gets depends on the other's samples.

use std::env;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use brownout::prometheus::check;
use brownout::prometheus::tenancy::Tenant;
use e2e::harness::{Ctx, trial_within};
use e2e::progress::say;
use e2e::prometheus::{Recorded, selectors};
use e2e::promql::{self, HIDDEN, START};
use libtest_mimic::Trial;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial_within(
        deadline(),
        "tenancy_of_random_queries_holds",
        holds,
    )]
}

/// How many queries; more of them take longer.
const QUERIES: (&str, usize) = ("BROWNOUT_TENANCY_QUERIES", 600);
/// Another number, other queries.
const SEED: &str = "BROWNOUT_TENANCY_SEED";

fn number(name: &str, usual: usize) -> usize {
    env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

fn deadline() -> Duration {
    Duration::from_secs(180).max(
        Duration::from_millis(100)
            * u32::try_from(number(QUERIES.0, QUERIES.1)).unwrap_or(u32::MAX),
    )
}

fn runner() -> TestRunner {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number(SEED, 0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(Config::default(), rng)
}

/// What a server says to a query: the whole answer, but for the order of its series and for
/// annotations.
#[derive(Debug, PartialEq)]
enum Said {
    Data(Vec<String>),
    Error(String),
}

struct Server {
    http: reqwest::Client,
    url: String,
}

impl Server {
    async fn ask(&self, query: &str, at: i64) -> Result<(Said, String)> {
        let form = [("query", query), ("time", &at.to_string())];
        let answer = self.http.post(format!("{}/api/v1/query", self.url));
        let body = answer.form(&form).send().await?.text().await?;
        let answer: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        let said = match &answer["data"]["result"] {
            Value::Array(series) if answer["data"]["resultType"] == "vector" => {
                let mut series: Vec<_> = series.iter().map(Value::to_string).collect();
                series.sort();
                Said::Data(series)
            }
            Value::Null => Said::Error(answer["errorType"].to_string()),
            scalar => Said::Data(vec![scalar.to_string()]),
        };
        Ok((said, body))
    }
}

#[derive(Debug, Default)]
struct Tally {
    pinned: usize,
    with_data: usize,
    errors: usize,
    unpinned_differ: usize,
}

async fn holds(ctx: Ctx) -> Result<()> {
    let run = &ctx.environment().run;
    let mut servers = Vec::new();
    let mut running = Vec::new();
    for variant in [0, 1] {
        let name = format!("{}-recorded-{variant}", ctx.namespace());
        let server = Recorded::start(run, &name, &promql::recorded(variant)).await?;
        servers.push(Server {
            http: e2e::http::client()?,
            url: server.url(),
        });
        running.push(server);
    }
    let mut tally = Tally::default();
    for (n, query) in queries()?.iter().enumerate() {
        let at = START + 600 + 7 * i64::try_from(n % 60)?;
        one(&servers, query, at, &mut tally).await?;
    }
    say(format!("{tally:?}"));
    ensure!(
        tally.with_data * 3 >= tally.pinned,
        "few of them read anything: {tally:?}"
    );
    // else this test could not fail
    ensure!(
        tally.unpinned_differ * 5 >= tally.pinned,
        "few of them reach the other: {tally:?}"
    );
    Ok(())
}

/// A query as it was written, as it is sent for a tenant, and as it would be sent without tenancy.
type Query = (String, String, String);

fn queries() -> Result<Vec<Query>> {
    let tenant = Tenant::new("namespace", "bots").map_err(anyhow::Error::msg)?;
    let (strategy, mut runner) = (promql::query(), runner());
    let mut queries = Vec::new();
    while queries.len() < number(QUERIES.0, QUERIES.1) {
        let tree = strategy.new_tree(&mut runner);
        let text = tree.map_err(|why| anyhow::anyhow!("{why}"))?.current();
        if let Ok(pinned) = check::query(&text, Some(&tenant)) {
            let free = check::query(&text, None).map_err(anyhow::Error::msg)?;
            queries.push((text, pinned.to_string(), free.to_string()));
        }
    }
    Ok(queries)
}

/// One query on both servers, bound and as it was written.
async fn one(
    servers: &[Server],
    (text, pinned, free): &Query,
    at: i64,
    tally: &mut Tally,
) -> Result<()> {
    let [a, b] = servers else {
        anyhow::bail!("two servers")
    };
    for selector in selectors(&a.url, pinned).await?.unwrap_or_default() {
        let bound = ["namespace", "=", "bots"];
        ensure!(
            selector.contains(&bound.map(str::to_owned)),
            "{text} became {pinned}"
        );
    }
    let (said, body) = a.ask(pinned, at).await?;
    let (other, other_body) = b.ask(pinned, at).await?;
    ensure!(
        said == other,
        "{text} became {pinned}, and at {at} that is\n{body}\nor\n{other_body}"
    );
    for body in [&body, &other_body] {
        ensure!(
            !body.contains(HIDDEN),
            "{pinned} at {at} tells of the other: {body}"
        );
    }
    tally.pinned += 1;
    tally.with_data += usize::from(matches!(&said, Said::Data(series) if !series.is_empty()));
    tally.errors += usize::from(matches!(said, Said::Error(_)));
    let differs = a.ask(free, at).await?.0 != b.ask(free, at).await?.0;
    tally.unpinned_differ += usize::from(differs);
    Ok(())
}
