use super::*;
use crate::policy::{LowTraffic, Measure, MinSamples, Signal};
use crate::prometheus::signals::{SignalQueries, signal_queries};
use crate::time::Span;
use serde_json::Value;

fn measure(row: &Value) -> Measure {
    let text = |key: &str| row[key].as_str().map(str::to_owned);
    let matchers = || text("matchers").or(text("defaults")).into_iter().collect();
    let window = Span::from_secs(60);
    if let Some(query) = text("query") { return Measure::Query { query, min_samples: None }; }
    if let Some(query) = text("minSamples") { return Measure::Query { query: "up".to_owned(), min_samples: Some(MinSamples { query, at_least: 1.0 }) }; }
    if text("errors").is_some() || text("counter").is_some() {
        return Measure::ErrorRatio { counter: text("counter").unwrap_or("c".to_owned()), errors: text("errors").unwrap_or("a=\"b\"".to_owned()), matchers: matchers(), window, min_requests: 1 };
    }
    Measure::Latency { histogram: text("histogram").unwrap_or("h".to_owned()), quantile: text("quantile").unwrap_or("0.5".to_owned()), matchers: matchers(), window, min_requests: 1 }
}

#[test]
fn gen() {
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string("/tmp/rows.json").unwrap()).unwrap();
    let tenant = Tenant::new("namespace", "bots").unwrap();
    let mut out = Vec::new();
    for mut row in rows {
        let s = Signal { name: "s".to_owned(), feature: None, low_traffic: LowTraffic::Clear, measure: measure(&row) };
        match signal_queries(&[s], Some(&tenant)) {
            Ok(mut q) => { let q: SignalQueries = q.remove(0);
                let v = if row["minSamples"].is_string() { q.count.unwrap().query.to_string() } else {q.value.to_string()};
                row["sent"] = v.into(); }
            Err(e) => row["refused"] = e[0].to_string().into(),
        }
        out.push(row);
    }
    std::fs::write("/tmp/rows_out.json", serde_json::to_string(&out).unwrap()).unwrap();
}
