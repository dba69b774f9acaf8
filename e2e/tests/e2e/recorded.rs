//! Queries and readings against a real Prometheus that holds recorded data: every number is known.

use std::fmt::Write;

use anyhow::{Context, Result};
use brownout::decide::{Reading, Unknown};
use brownout::policy::{LowTraffic, Measure, Signal};
use brownout::prometheus::answer::Trust;
use brownout::prometheus::client::Client;
use brownout::prometheus::metrics::PollerMetrics;
use brownout::prometheus::observed::Observed;
use brownout::prometheus::query::Query;
use brownout::prometheus::signals::{SignalQueries, signal_queries};
use brownout::prometheus::source::Source;
use brownout::time::{Span, Time};
use e2e::harness::{Ctx, trial};
use e2e::prometheus::Recorded;
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    vec![trial("prometheus_readings_of_recorded_data", readings)]
}

/// The first scrape; they are 15 s apart for 20 minutes.
const START: i64 = 1_700_000_000;
const SCRAPES: i64 = 81;

/// What the scrapes saw: 90 good requests and 10 errors between two, all slower than the last bucket.
fn recorded() -> String {
    let mut text = String::new();
    let mut family = |kind: &str, name: &str, series: &[(&str, i64)]| {
        writeln!(text, "# TYPE {name} {kind}").expect("a string takes all");
        for (series, per_scrape) in series {
            for n in 0..SCRAPES {
                let at = START + 15 * n;
                writeln!(text, "{series} {} {at}", per_scrape * n).expect("a string takes all");
            }
        }
    };
    family(
        "counter",
        "c",
        &[
            ("c_total{outcome=\"ok\"}", 90),
            ("c_total{outcome=\"error\"}", 10),
        ],
    );
    family("counter", "good", &[("good_total{outcome=\"ok\"}", 90)]);
    family(
        "counter",
        "idle",
        &[
            ("idle_total{outcome=\"ok\"}", 0),
            ("idle_total{outcome=\"error\"}", 0),
        ],
    );
    let slow = [
        ("h_bucket{le=\"0.5\"}", 0),
        ("h_bucket{le=\"1.0\"}", 0),
        ("h_bucket{le=\"2.5\"}", 0),
        ("h_bucket{le=\"+Inf\"}", 100),
        ("h_count", 100),
        ("h_sum", 300),
    ];
    family("histogram", "h", &slow);
    family("gauge", "two", &[("two{a=\"1\"}", 1), ("two{a=\"2\"}", 2)]);
    text + "# EOF\n"
}

fn matchers(errors: &str) -> (String, Vec<String>, Span) {
    (errors.to_owned(), Vec::new(), Span::from_secs(60))
}

fn error_ratio(counter: &str) -> Measure {
    let (errors, matchers, window) = matchers("outcome=\"error\"");
    Measure::ErrorRatio {
        counter: counter.to_owned(),
        errors,
        matchers,
        window,
        min_requests: 1,
    }
}

fn latency(histogram: &str) -> Measure {
    let (_, matchers, window) = matchers("");
    Measure::Latency {
        histogram: histogram.to_owned(),
        quantile: "0.95".to_owned(),
        matchers,
        window,
        min_requests: 1,
    }
}

fn queries(measure: Measure) -> SignalQueries {
    let signal = Signal {
        name: "s".to_owned(),
        feature: None,
        low_traffic: LowTraffic::Clear,
        measure,
    };
    signal_queries(&[signal], None)
        .expect("a good signal")
        .remove(0)
}

struct Bench {
    client: Client,
    at: Time,
}

impl Bench {
    async fn reading(&self, query: &Query) -> Reading {
        self.client.instant(query, self.at).await.reading
    }

    async fn text(&self, query: &str) -> Reading {
        self.reading(&Query::unchecked(query)).await
    }

    /// The signal's reading and its count.
    async fn signal(&self, measure: Measure) -> (Reading, Option<Reading>) {
        let queries = queries(measure);
        let value = self.client.instant(&queries.value, self.at).await;
        let count = queries.count.expect("typed signals count");
        let counted = self.client.instant(&count.query, self.at).await;
        let observed = Observed::new(&value, Some((&counted, count.at_least)));
        (observed.reading, observed.count)
    }
}

async fn readings(ctx: Ctx) -> Result<()> {
    let run = &ctx.environment().run;
    let server = Recorded::start(run, "recorded-prometheus", &recorded()).await?;
    let client = Client::new(
        Source::new("default", server.url()),
        PollerMetrics::default(),
    )
    .context("a source")?;
    let bench = Bench {
        client,
        at: Time::from_millis((START + 600) * 1000),
    };
    typed_signals(&bench).await;
    classes(&bench).await;
    ranges(&bench).await;
    Ok(())
}

async fn typed_signals(bench: &Bench) {
    let value = Reading::Value;
    let not = Reading::Unknown;
    let near = |number: f64| {
        move |reading: Reading| reading.value().is_some_and(|v| (v - number).abs() < 1e-9)
    };
    let (ratio, count) = bench.signal(error_ratio("c_total")).await;
    assert!(near(0.1)(ratio), "{ratio:?}");
    assert!(count.is_some_and(near(400.0)), "{count:?}");
    assert_eq!(bench.signal(error_ratio("good_total")).await.0, value(0.0));
    assert_eq!(
        bench.signal(error_ratio("idle_total")).await,
        (not(Unknown::LowTraffic), Some(value(0.0)))
    );
    assert_eq!(
        bench.signal(error_ratio("gone_total")).await.0,
        not(Unknown::Empty)
    );
    assert_eq!(bench.signal(latency("h")).await.0, value(2.5));
    assert_eq!(bench.signal(latency("gone")).await.0, not(Unknown::Empty));
    let advice = queries(latency("h"));
    assert_eq!(bench.reading(&advice.top.expect("a top")).await, value(2.5));
    assert_eq!(
        bench.reading(&advice.samples.expect("samples")).await,
        value(4.0)
    );
    let errors = |counter| queries(error_ratio(counter)).errors_exist.expect("errors");
    assert_eq!(bench.reading(&errors("c_total")).await, value(4.0));
    assert_eq!(
        bench.reading(&errors("good_total")).await,
        not(Unknown::Empty)
    );
    // a name that needs quoting
    assert_eq!(
        bench.signal(error_ratio("http.requests")).await.0,
        not(Unknown::Empty)
    );
}

async fn classes(bench: &Bench) {
    for (query, class) in [
        ("two", Unknown::MultipleSeries),
        ("two[5m]", Unknown::ResultType),
        ("\"text\"", Unknown::ResultType),
        ("sum(two) * NaN", Unknown::NaN),
        ("sum(two) / 0", Unknown::Infinite),
        ("nothing", Unknown::Empty),
        (
            "histogram_quantile(1.5, sum by (le) (rate(h_bucket[1m])))",
            Unknown::Warning,
        ),
        (
            "label_replace(two, \"a\", \"x\", \"\", \"\")",
            Unknown::Http,
        ),
    ] {
        assert_eq!(bench.text(query).await, Reading::Unknown(class), "{query}");
    }
    for (query, rejected) in [
        ("up{", true),
        ("limitk(2, two)", true),
        ("nosuch(two)", true),
        ("two * on (b) two", false),
    ] {
        let answer = bench
            .client
            .instant(&Query::unchecked(query), bench.at)
            .await;
        assert_eq!(
            (answer.reading, answer.rejected),
            (Reading::Unknown(Unknown::Http), rejected),
            "{query}: {answer:?}"
        );
    }
    assert_eq!(bench.text("scalar(sum(two))").await, Reading::Value(120.0));
}

async fn ranges(bench: &Bench) {
    let signal = queries(error_ratio("c_total"));
    let from = Time::from_millis((START - 120) * 1000 + 333);
    let step = Span::from_secs(15);
    let to = from + step.times(20);
    let ranged = bench
        .client
        .range(&signal.value, (from, to, step), Trust::Strict)
        .await;
    assert_eq!(ranged.points.len(), 21);
    for (at, reading) in ranged.points {
        assert_eq!(
            reading,
            bench.client.instant(&signal.value, at).await.reading,
            "{at}"
        );
    }
    let sorted = Query::unchecked("sort(sum(two))");
    let ranged = bench
        .client
        .range(&sorted, (bench.at, bench.at, step), Trust::Strict)
        .await;
    assert_eq!(ranged.points, [(bench.at, Reading::Value(120.0))]);
}
