//! Tenants of one source: each reads its own series, whatever it writes.

use anyhow::{Context as _, Result, ensure};
use brownout::api::MetricsSource;
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::progress::say;
use e2e::prometheus::{self, Prometheus, selectors};
use e2e::wait::await_condition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::{
    GAUGE, SOON, await_level, await_ready, await_reason, await_status, ready_message,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("tenancy_each_namespace_reads_its_own", its_own),
        trial("tenancy_follows_its_source", follows),
        trial("tenancy_attacks_are_bound_or_refused", attacks),
    ]
}

/// The table of the binding's own tests; `bots` stands for the policy's namespace.
const ATTACKS: &str = include_str!("../../../src/prometheus/tenancy/attacks.json");

/// Two namespaces whose bots have 10 and 300 waiting, one operator for both, and a source with tenancy
/// that writes down what it is asked.
struct Tenants {
    bots: Ctx,
    rival: Ctx,
    source: String,
    prometheus: Prometheus,
    operator: Operator,
    _exporters: [e2e::exporter::Exporter; 2],
}

impl Tenants {
    async fn set(bots: Ctx) -> Result<Self> {
        let rival = bots.neighbour().await?;
        let run = &bots.environment().run;
        let options = prometheus::Options {
            log_queries: true,
            ..prometheus::Options::new(format!("{}-prometheus", bots.namespace()))
        };
        let prometheus = Prometheus::start(run.clone(), &options).await?;
        let exporters = [
            bots.exporter_at(&prometheus).await?,
            rival.exporter_at(&prometheus).await?,
        ];
        for (exporter, waiting) in exporters.iter().zip([10.0, 300.0]) {
            exporter.gauge(GAUGE, &[]).set(waiting);
            let requests = exporter.counter("bot_requests_total", &[("outcome", "ok")]);
            requests.add(waiting);
        }
        let both = format!("sum({GAUGE})");
        prometheus
            .await_value(&both, SOON, |sum| sum > 309.0)
            .await?;
        let source = format!("of-{}", bots.namespace()); // sources are of the whole cluster
        let url = prometheus.url();
        bots.apply(&format!(
            "{{apiVersion: brownout.dev/v1alpha1, kind: MetricsSource, metadata: {{name: {source}}}, \
             spec: {{prometheus: {{url: '{url}'}}, tenancy: {{label: namespace}}}}}}"
        ))
        .await?;
        let mut options = bots.operator_options("http://127.0.0.1:1").await?;
        options.namespaces.push(rival.namespace().to_owned());
        let operator = Operator::start(run.clone(), &options).await?;
        Ok(Self {
            bots,
            rival,
            source,
            prometheus,
            operator,
            _exporters: exporters,
        })
    }

    /// A policy with these signals, the first of which degrades above 200.
    fn policy(&self, name: &str, signals: &[Value]) -> String {
        let first = &signals[0]["name"];
        json!({
            "apiVersion": "brownout.dev/v1alpha1",
            "kind": "BotDegradationPolicy",
            "metadata": {"name": name},
            "spec": {
                "interval": "1s",
                "source": self.source,
                "signals": signals,
                "features": [{"name": "animations", "tier": "Luxury"}],
                "levels": [{
                    "name": "shed-luxury",
                    "when": {"any": [{"signal": first, "above": "200"}]},
                    "tiers": {"luxury": "Disabled"},
                }],
                "recovery": {"after": "2s"},
            },
        })
        .to_string()
    }

    async fn label(&self, tenancy: Value) -> Result<()> {
        let sources: Api<MetricsSource> = Api::all(self.bots.client());
        let patch = Patch::Merge(json!({"spec": {"tenancy": tenancy}}));
        sources
            .patch(&self.source, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Waits for the live JSON of a policy to be as wanted.
    async fn await_live(
        &self,
        of: &Ctx,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let wanted = &wanted;
        await_condition(&format!("{name}: {what}"), SOON, || async {
            let all = self.operator.policies().await?;
            let all = all["policies"].as_array().context("no policies")?;
            let is_it = |p: &&Value| p["name"] == name && p["namespace"] == of.namespace();
            let found = all.iter().find(is_it).context("no such policy")?;
            Ok(wanted(found).then(|| found.clone()))
        })
        .await
    }

    async fn await_value(&self, of: &Ctx, value: f64) -> Result<Value> {
        let what = format!("a reading of {value}");
        self.await_live(of, "bot", &what, |live| {
            live["signals"][0]["value"] == value
        })
        .await
    }

    /// Holds that everything the operator has asked is bound, as the server's own parser reads it, and
    /// gives how many queries that are, and how many of them ask for a range.
    async fn all_asked_is_bound(&self) -> Result<(usize, usize)> {
        let mut asked = self.prometheus.asked()?;
        // what this test itself asks
        let both = format!("sum({GAUGE})");
        asked.retain(|(query, _)| *query != both && !query.starts_with("up{instance="));
        asked.sort();
        asked.dedup();
        for (query, _) in &asked {
            let read = selectors(&self.prometheus.url(), query).await?;
            let read = read.with_context(|| format!("{query} was asked and does not parse"))?;
            let tenants = [self.bots.namespace(), self.rival.namespace()];
            let bound = |selector: &Vec<[String; 3]>, tenant: &str| {
                selector
                    .iter()
                    .any(|[name, op, value]| name == "namespace" && op == "=" && value == tenant)
            };
            let one = tenants
                .iter()
                .any(|tenant| read.iter().all(|selector| bound(selector, tenant)));
            ensure!(one && !read.is_empty(), "not bound: {query}");
        }
        let ranges = asked.iter().filter(|(_, step)| *step > 0).count();
        Ok((asked.len(), ranges))
    }
}

fn query(name: &str, query: &str) -> Value {
    json!({"name": name, "query": query})
}

async fn its_own(ctx: Ctx) -> Result<()> {
    let tenants = &Tenants::set(ctx).await?;
    let Tenants { bots, rival, .. } = tenants;
    let ratio = json!({"name": "errors", "errorRatio": {"counter": "bot_requests_total", "errors": "outcome=\"error\"", "window": "10s"}});
    let same = tenants.policy("bot", &[query("backlog", &format!("sum({GAUGE})")), ratio]);
    for of in [bots, rival] {
        of.apply(&same).await?;
    }
    tenants.await_value(bots, 10.0).await?;
    let live = tenants.await_value(rival, 300.0).await?;
    let sent = format!("sum({GAUGE}{{namespace=\"{}\"}})", rival.namespace());
    ensure!(live["signals"][0]["query"] == *sent, "{live}");
    await_level(rival, "bot", 1).await?;
    let status = await_ready(bots, "bot").await?;
    ensure!((status.level, status.history.len()) == (0, 0), "{status:?}");
    // asked for advice, too
    tenants
        .await_live(bots, "bot", "advice", |live| {
            live["advice"][0]["kind"] == "ErrorsSelectNothing"
        })
        .await?;

    // the timers are rebuilt from ranges, in which the level and who reads what stay
    tenants.operator.restart().await?;
    tenants.await_value(bots, 10.0).await?;
    tenants.await_value(rival, 300.0).await?;
    await_level(rival, "bot", 1).await?;
    let status = await_ready(bots, "bot").await?;
    ensure!((status.level, status.history.len()) == (0, 0), "{status:?}");

    let other = rival.namespace().to_owned();
    let conflict = format!("max({GAUGE}{{namespace=\"{other}\"}})");
    bots.apply(&tenants.policy("bot", &[query("backlog", &conflict)]))
        .await?;
    let status = await_reason(bots, "bot", "QueryRefused").await?;
    let own = bots.namespace();
    let says = format!(
        "spec.signals[0].query selects namespace=\"{other}\", but a policy in namespace {own} reads only series of {own}: remove the matcher"
    );
    ensure!(ready_message(&status) == says, "{}", ready_message(&status));
    let live = tenants
        .await_live(bots, "bot", "no reading", |live| live["phase"] == "Resting")
        .await?;
    ensure!(live["signals"][0]["value"].is_null(), "{live}");

    let (asked, ranges) = tenants.all_asked_is_bound().await?;
    ensure!(
        asked >= 12 && ranges >= 4,
        "{asked} queries, {ranges} ranges"
    );
    Ok(())
}

async fn follows(ctx: Ctx) -> Result<()> {
    let tenants = &Tenants::set(ctx).await?;
    let Tenants { bots, rival, .. } = tenants;
    let all = format!("sum({GAUGE})");
    let others = format!("sum({GAUGE}{{namespace=\"{}\"}})", rival.namespace());
    bots.apply(&tenants.policy("bot", &[query("backlog", &all)]))
        .await?;
    bots.apply(&tenants.policy("spy", &[query("backlog", &others)]))
        .await?;
    tenants.await_value(bots, 10.0).await?;
    await_reason(bots, "spy", "QueryRefused").await?;

    tenants.label(Value::Null).await?;
    tenants.await_value(bots, 310.0).await?;
    await_level(bots, "bot", 1).await?;
    await_level(bots, "spy", 1).await?;
    await_ready(bots, "spy").await?;

    tenants.label(json!({"label": "namespace"})).await?;
    tenants.await_value(bots, 10.0).await?;
    await_level(bots, "bot", 0).await?;
    // it keeps its level, and learns no more of the other
    let status = await_reason(bots, "spy", "QueryRefused").await?;
    ensure!(status.level == 1, "{status:?}");
    let resting =
        |live: &Value| live["phase"] == "Resting" && live["signals"][0]["value"].is_null();
    tenants
        .await_live(bots, "spy", "no reading", resting)
        .await?;

    tenants.label(json!({"label": "job"})).await?;
    let own = format!("sum({GAUGE}{{job=\"{}\"}})", bots.namespace());
    tenants
        .await_live(bots, "bot", "the other label", |live| {
            live["signals"][0]["query"] == *own && live["signals"][0]["value"] == 10.0
        })
        .await?;
    let refused = tenants.label(json!({"label": "le"})).await;
    let refused = refused.err().map(|error| error.to_string());
    ensure!(
        refused
            .as_ref()
            .is_some_and(|said| said.contains("tenancy.label must not be le")),
        "{refused:?}"
    );
    Ok(())
}

/// What the API server lets into a policy, as its signals.
fn signals(attacks: &[Value], outcome: &str, own: &str) -> Vec<(Value, String)> {
    let ours = |text: &str| text.replace("bots", own);
    let with = attacks.iter().filter_map(|attack| {
        let text = |name: &str| {
            attack[name]
                .as_str()
                .filter(|t| !t.trim().is_empty())
                .map(ours)
        };
        let expected = text(outcome)?;
        let signal = if let Some(query) = text("query") {
            json!({"query": query})
        } else if let Some(query) = text("minSamples") {
            json!({"query": "up", "minSamples": {"query": query, "atLeast": "1"}})
        } else if let Some(matchers) = text("matchers").or(text("defaults")) {
            json!({"latency": {"histogram": "h", "matchers": matchers, "quantile": "0.5"}})
        } else {
            json!({"errorRatio": {"counter": "c", "errors": text("errors")?}})
        };
        Some((signal, expected))
    });
    with.enumerate()
        .map(|(n, (mut signal, expected))| {
            signal["name"] = format!("s{n}").into();
            (signal, expected)
        })
        .collect()
}

/// So many refusals fit into the message of a condition.
const TOLD: usize = 3;

async fn attacks(ctx: Ctx) -> Result<()> {
    let tenants = &Tenants::set(ctx).await?;
    let bots = &tenants.bots;
    let attacks: Vec<Value> = serde_json::from_str(ATTACKS)?;
    let refused = signals(&attacks, "refused", bots.namespace());
    let sent = signals(&attacks, "sent", bots.namespace());
    ensure!(
        refused.len() >= 90 && sent.len() >= 120,
        "{} {}",
        refused.len(),
        sent.len()
    );
    for (kind, all, at_once) in [("refused", &refused, TOLD), ("sent", &sent, 16)] {
        for (n, signals) in all.chunks(at_once).enumerate() {
            let signals: Vec<_> = signals.iter().map(|(signal, _)| signal.clone()).collect();
            let policy = tenants.policy(&format!("{kind}-{n}"), &signals);
            bots.apply(&policy.replace("\"1s\"", "\"5s\"")).await?;
        }
    }
    for (n, signals) in refused.chunks(TOLD).enumerate() {
        let name = format!("refused-{n}");
        let status = await_reason(bots, &name, "QueryRefused").await?;
        for (i, (signal, says)) in signals.iter().enumerate() {
            let says = format!("spec.signals[{i}].{says}");
            let message = ready_message(&status);
            ensure!(message.contains(&says), "{signal}: {says}: {message}");
        }
    }
    for (n, signals) in sent.chunks(16).enumerate() {
        let name = format!("sent-{n}");
        let live = tenants
            .await_live(bots, &name, "a tick", |live| !live["evaluatedAt"].is_null())
            .await?;
        for (i, (signal, expected)) in signals.iter().enumerate() {
            let query = &live["signals"][i]["query"];
            let asks = signal["minSamples"].is_null();
            ensure!(!asks || query == expected.as_str(), "{signal}: {query}");
        }
        await_status(bots, &name, "no refusal", |status| {
            !ready_message(status).contains("spec.signals")
        })
        .await?;
    }
    let (asked, _) = tenants.all_asked_is_bound().await?;
    ensure!(asked >= 100, "only {asked} queries reached the server");
    let (bound, refused) = (sent.len(), refused.len());
    say(format!(
        "{bound} attacks bound, {refused} refused; {asked} queries reached the server"
    ));
    Ok(())
}
