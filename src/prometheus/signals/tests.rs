use super::*;
use crate::policy::{LowTraffic, MinSamples};
use crate::time::Span;

fn signal(measure: Measure) -> Signal {
    Signal {
        name: "s".to_owned(),
        feature: None,
        low_traffic: LowTraffic::Clear,
        measure,
    }
}

fn latency(histogram: &str, quantile: &str, matchers: &[&str]) -> Signal {
    signal(Measure::Latency {
        histogram: histogram.to_owned(),
        quantile: quantile.to_owned(),
        matchers: matchers.iter().map(|m| (*m).to_owned()).collect(),
        window: Span::from_secs(60),
        min_requests: 20,
    })
}

fn error_ratio(counter: &str, errors: &str, matchers: &[&str]) -> Signal {
    signal(Measure::ErrorRatio {
        counter: counter.to_owned(),
        errors: errors.to_owned(),
        matchers: matchers.iter().map(|m| (*m).to_owned()).collect(),
        window: Span::from_millis(90_000),
        min_requests: 10,
    })
}

fn query(query: &str) -> Signal {
    signal(Measure::Query {
        query: query.to_owned(),
        min_samples: None,
    })
}

fn one(signal: Signal) -> SignalQueries {
    signal_queries(&[signal], None)
        .expect("a good signal")
        .remove(0)
}

fn text(query: Option<&Query>) -> &str {
    query.map_or("", Query::as_str)
}

#[test]
fn an_error_ratio_is_printed_as_its_template_says() {
    let q = one(error_ratio(
        "bot_requests_total",
        "outcome=\"error\"",
        &["job=\"bot\"", ""],
    ));
    assert_eq!(
        q.value.as_str(),
        "(sum(rate(bot_requests_total{job=\"bot\",outcome=\"error\"}[1m30s])) or \
         sum(rate(bot_requests_total{job=\"bot\"}[1m30s])) * 0) / sum(rate(bot_requests_total{job=\"bot\"}[1m30s]))"
    );
    let count = q.count.expect("a count");
    assert_eq!(
        count.query.as_str(),
        "sum(increase(bot_requests_total{job=\"bot\"}[1m30s]))"
    );
    assert_eq!(count.at_least.to_string(), "10");
    assert_eq!(
        text(q.samples.as_ref()),
        "max(count_over_time(bot_requests_total{job=\"bot\"}[1m30s]))"
    );
    assert_eq!(
        text(q.errors_exist.as_ref()),
        "max(count_over_time(bot_requests_total{job=\"bot\",outcome=\"error\"}[1m30s]))"
    );
    assert_eq!(q.top, None);
}

#[test]
fn a_latency_is_printed_as_its_template_says() {
    let q = one(latency(
        "h_seconds",
        "0.95",
        &["job=\"bot\"", "tier=~\"a|b\""],
    ));
    let m = "job=\"bot\",tier=~\"a|b\"";
    assert_eq!(
        q.value.as_str(),
        format!(
            "histogram_quantile(0.95, sum by (le)  (rate(h_seconds_bucket{{{m}}}[1m]))) or \
             histogram_quantile(0.95, sum(rate(h_seconds{{{m}}}[1m])))"
        )
        .replace("  (", " (")
    );
    assert_eq!(
        text(q.count.as_ref().map(|c| &c.query)),
        format!(
            "sum(increase(h_seconds_bucket{{job=\"bot\",le=\"+Inf\",tier=~\"a|b\"}}[1m])) or \
             histogram_count(sum(increase(h_seconds{{{m}}}[1m])))"
        )
    );
    assert_eq!(
        text(q.top.as_ref()),
        "histogram_quantile(0.5, sum by (le) (h_seconds_bucket{job=\"bot\",le!=\"+Inf\",tier=~\"a|b\"}) * 0 or \
         sum by (le) (h_seconds_bucket{job=\"bot\",le=\"+Inf\",tier=~\"a|b\"}) * 0 + 1)"
    );
    assert_eq!(q.errors_exist, None);
}

#[test]
fn names_that_promql_cannot_take_bare_become_matchers() {
    for (counter, selected) in [
        (
            "http.server.requests",
            "{__name__=\"http.server.requests\"}",
        ),
        ("sum", "sum"),
        ("inf", "{__name__=\"inf\"}"),
        ("a\"} or up{b=\"", "{__name__=\"a\\\"} or up{b=\\\"\"}"),
        ("job:requests:total", "job:requests:total"),
    ] {
        let q = one(error_ratio(counter, "a=\"b\"", &[]));
        let samples = format!("max(count_over_time({selected}[1m30s]))");
        assert_eq!(text(q.samples.as_ref()), samples);
    }
}

#[test]
fn a_query_with_min_samples_asks_both() {
    let q = one(signal(Measure::Query {
        query: "max(depth)".to_owned(),
        min_samples: Some(MinSamples {
            query: "sum(increase(x[1m]))".to_owned(),
            at_least: 2.5,
        }),
    }));
    assert_eq!(q.value.as_str(), "max(depth)");
    assert_eq!(
        text(q.count.as_ref().map(|c| &c.query)),
        "sum(increase(x[1m]))"
    );
}

#[test]
fn everything_that_is_wrong_is_told_with_its_field() {
    let refused = signal_queries(
        &[
            query("x > 5"),
            query("x"),
            latency("h", "1", &[]),
            latency("h", "0.95", &["le=\"1\""]),
            latency("", "0.95", &[]),
            error_ratio("c", "", &[]),
            error_ratio("c", "outcome=\"error\"", &["outcome=\"ok\""]),
            error_ratio("c", "code=~\"5..\"", &["code=\"200\""]),
            error_ratio("c", "a=\"b\"", &["job=\"x\"", "job=\"y\""]),
            signal(Measure::Query {
                query: "x".to_owned(),
                min_samples: Some(MinSamples {
                    query: "x[5m]".to_owned(),
                    at_least: 1.0,
                }),
            }),
        ],
        None,
    )
    .expect_err("nearly all are wrong");
    let told: Vec<_> = refused
        .iter()
        .map(|r| (r.field.as_str(), r.message.as_str()))
        .collect();
    for ((field, message), (at, about)) in told.iter().zip([
        ("signals[0].query", "filters"),
        ("signals[2].latency.quantile", "decimal above 0 and below 1"),
        (
            "signals[3].latency.matchers",
            "`le` belongs to the operator",
        ),
        ("signals[4].latency.histogram", "no metric is called"),
        ("signals[5].errorRatio.errors", "is empty"),
        (
            "signals[6].errorRatio.errors",
            "no series has both outcome=\"ok\" and outcome=\"error\"",
        ),
        (
            "signals[7].errorRatio.errors",
            "no series has both code=\"200\" and code=~\"5..\"",
        ),
        ("signals[8].errorRatio.matchers", "no series has both"),
        ("signals[9].minSamples.query", "gives a range"),
    ]) {
        assert_eq!(*field, at);
        assert!(message.contains(about), "{field}: {message}");
    }
    assert_eq!(told.len(), 9);
}
