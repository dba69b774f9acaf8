use serde_json::Value;

use super::*;
use crate::policy::{LowTraffic, Measure, MinSamples, Signal};
use crate::prometheus::query::Query;
use crate::prometheus::signals::{SignalQueries, signal_queries};
use crate::time::Span;

/// Each attack: a field with what it holds, and what is sent or what the refusal says. The same
/// number is the same idea. The end-to-end tests put them to a real server, fuzzing begins with them.
const ATTACKS: &str = include_str!("attacks.json");

fn tenant() -> Tenant {
    Tenant::new("namespace", "bots").expect("a label")
}

fn signal(measure: Measure) -> Signal {
    Signal {
        name: "s".to_owned(),
        feature: None,
        low_traffic: LowTraffic::Clear,
        measure,
    }
}

/// A signal with what an attack puts into one of its fields.
fn attacked(attack: &Value) -> Signal {
    let field = |name: &str| attack[name].as_str().map(str::to_owned);
    let or = |name, usual: &str| field(name).unwrap_or_else(|| usual.to_owned());
    let matchers = field("matchers")
        .or(field("defaults"))
        .into_iter()
        .collect();
    let window = Span::from_secs(60);
    let samples = field("minSamples").map(|query| MinSamples {
        query,
        at_least: 1.0,
    });
    signal(if field("query").is_some() || samples.is_some() {
        Measure::Query {
            query: or("query", "up"),
            min_samples: samples,
        }
    } else if field("errors").is_some() || field("counter").is_some() {
        Measure::ErrorRatio {
            counter: or("counter", "c"),
            errors: or("errors", "a=\"b\""),
            matchers,
            window,
            min_requests: 1,
        }
    } else {
        Measure::Latency {
            histogram: or("histogram", "h"),
            quantile: or("quantile", "0.5"),
            matchers,
            window,
            min_requests: 1,
        }
    })
}

/// Every query of a signal, the value's first.
fn all(of: &SignalQueries) -> Vec<&Query> {
    let SignalQueries {
        name: _,
        value,
        count,
        top,
        samples,
        errors_exist,
        window: _,
    } = of;
    let count = count.as_ref().map(|count| &count.query);
    let rest = [count, top.as_ref(), samples.as_ref(), errors_exist.as_ref()];
    std::iter::once(value)
        .chain(rest.into_iter().flatten())
        .collect()
}

fn bound(query: &Query) -> bool {
    let mut read = promql::read(query.as_str()).expect("what is sent parses");
    tenant().holds(&mut read)
}

#[test]
#[allow(clippy::print_stdout, reason = "how many there are is the figure")]
fn every_attack_is_bound_or_refused() {
    let attacks: Vec<Value> = serde_json::from_str(ATTACKS).expect("a table");
    let (mut sent, mut refused) = (0, 0);
    for attack in &attacks {
        match signal_queries(&[attacked(attack)], Some(&tenant())) {
            Ok(queries) => {
                let queries = all(&queries[0]);
                assert!(queries.iter().all(|query| bound(query)), "{attack}");
                let asked = usize::from(attack["minSamples"].is_string());
                assert_eq!(attack["sent"], queries[asked].as_str(), "{attack}");
                sent += 1;
            }
            Err(told) => {
                let told = told[0].to_string();
                let says = attack["refused"].as_str();
                let says = says.unwrap_or_else(|| panic!("{attack}: {told}"));
                assert!(
                    told.starts_with(&format!("spec.signals[0].{says}")),
                    "{attack}: {told}"
                );
                assert!(!told.contains(char::is_control), "{told:?}");
                refused += 1;
            }
        }
    }
    let ideas: std::collections::BTreeSet<_> = attacks
        .iter()
        .filter_map(|attack| attack["n"].as_u64())
        .collect();
    println!(
        "{} attacks of {} kinds: {sent} bound, {refused} refused",
        attacks.len(),
        ideas.len()
    );
    assert!(ideas.len() >= 100 && sent >= 100 && refused >= 100);
}

#[test]
fn too_deep_and_too_long_is_contained() {
    let deepest = [
        format!("{}x", "-".repeat(1023)),
        format!("{}x{}", "(".repeat(511), ")".repeat(511)),
        format!("{}x", "1^".repeat(511)),
        format!("{}x", "x+".repeat(511)),
        format!("{}x{}", "abs(".repeat(204), ")".repeat(204)),
        format!("{}x{}", "topk(1,".repeat(127), ")".repeat(127)),
        format!("x{}", "[1m:]".repeat(204)),
        format!("x{{a=~\"{}\"}}", "\\\\pL{9}".repeat(120)),
        format!("x{{{}}}", "a=\"b\",".repeat(170)),
    ];
    let too_much = [
        "-".repeat(3000) + "x",
        "(".repeat(3000) + "x" + &")".repeat(3000),
        "1^".repeat(3000) + "x",
        "x".repeat(1 << 20),
        format!("{}x", "-".repeat(1024)),
        format!("x{{a=\"{}\"}}", "é".repeat(1018)),
    ];
    // a worker thread's stack, and what is refused is not even looked at
    let on_a_stack = |size: usize, text: String| {
        let check = move || {
            let query = Measure::Query {
                query: text.clone(),
                min_samples: None,
            };
            let matchers = Measure::Latency {
                histogram: "h".to_owned(),
                quantile: "0.5".to_owned(),
                matchers: vec![text],
                window: Span::from_secs(60),
                min_requests: 1,
            };
            let ask = |measure| signal_queries(&[signal(measure)], Some(&tenant()));
            assert!(ask(matchers).is_err());
            ask(query).map(|queries| assert!(all(&queries[0]).iter().all(|q| bound(q))))
        };
        let thread = std::thread::Builder::new().stack_size(size).spawn(check);
        thread.expect("a thread").join().expect("no panic")
    };
    for text in deepest {
        assert!(text.chars().count() <= promql::MAX_CHARS, "{}", text.len());
        let _ = on_a_stack(2 << 20, text);
    }
    for text in too_much {
        let told = on_a_stack(128 << 10, text).expect_err("too long")[0].to_string();
        assert!(told.contains("longer than 1024 characters"), "{told}");
    }
}

#[test]
fn equal_texts_of_two_namespaces_are_two_queries() {
    let rival = Tenant::new("namespace", "rival").expect("a label");
    let ask = |tenant: Option<&Tenant>| {
        let attack = serde_json::json!({"query": "sum(up)"});
        let queries = signal_queries(&[attacked(&attack)], tenant);
        queries.expect("a good query")[0].value.clone()
    };
    assert_ne!(ask(Some(&tenant())), ask(Some(&rival)));
    assert_eq!(ask(Some(&tenant())), ask(Some(&tenant())));
    assert_eq!(ask(None).as_str(), "sum(up)");
}

#[test]
fn a_label_that_tells_no_tenants_apart_is_refused() {
    for label in [
        "namespace",
        "_x",
        "_9",
        "tenant_id",
        "exported_namespace",
        "by",
        "on",
        "bool",
        "or",
        "and",
        "unless",
        "inf",
        "nan",
        "sum",
        "offset",
        "start",
        "end",
        "group_left",
        "without",
        "atan2",
        "ignoring",
        "fill",
        "info",
    ] {
        let tenant = Tenant::new(label, "bots").expect(label);
        assert_eq!((tenant.label(), tenant.namespace()), (label, "bots"));
    }
    for (label, says) in [
        ("", "the name of a label"),
        ("__name__", "the name of a label"),
        ("__tenant__", "the name of a label"),
        ("9x", "the name of a label"),
        ("a-b", "the name of a label"),
        ("namespace=\"x\",b", "the name of a label"),
        ("námespace", "the name of a label"),
        ("le", "belongs to histograms"),
    ] {
        let told = Tenant::new(label, "bots").expect_err(label);
        assert!(told.contains(says), "{label}: {told}");
    }
    assert!(Tenant::new(&"a".repeat(129), "bots").is_err());
    // it would select what has no such label at all
    assert!(Tenant::new("namespace", "").is_err());
}

#[test]
fn a_print_that_is_not_bound_is_noticed() {
    for text in [
        "up",
        "up{namespace=\"rival\"}",
        "up{namespace=~\"bots\"}",
        "up{namespace=\"bots\"} + secret",
        "topk(scalar(secret), up{namespace=\"bots\"})",
        "rate(up[5m])",
        "info(up{namespace=\"bots\"})",
        "up{namespace=\"bots\" or a=\"b\"}",
    ] {
        let mut read = promql::read(text).expect(text);
        assert!(!tenant().holds(&mut read), "{text}");
    }
}
