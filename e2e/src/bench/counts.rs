//! What the operator and Prometheus have counted so far.

use anyhow::Result;

use crate::environment::Environment;
use crate::http;
use crate::operator::Operator;

/// Counters at one moment.
#[derive(Debug)]
pub(super) struct Counts {
    /// Queries that Prometheus saw.
    pub(super) queries: f64,
    pub(super) evaluations: f64,
    /// Queries that the operator got no answer to.
    pub(super) failed: f64,
    /// Ticks that it left out.
    pub(super) skipped: f64,
}

impl Counts {
    pub(super) async fn now(environment: &Environment, operator: &Operator) -> Result<Self> {
        let prometheus =
            http::get_text(&format!("{}/metrics", environment.prometheus.url())).await?;
        let own = operator.metrics().await?;
        let mine = "brownout_queries_total{";
        let failed = ["Timeout", "Transport"]
            .map(|outcome| format!("{mine}source=\"default\",outcome=\"{outcome}\""));
        let asked = prometheus
            .lines()
            .filter(|line| line.contains("handler=\"/api/v1/query\""));
        let asked = asked.collect::<Vec<_>>().join("\n");
        Ok(Self {
            queries: sum(&asked, "prometheus_http_requests_total{"),
            evaluations: sum(&own, "brownout_evaluations_total"),
            failed: failed.iter().map(|series| sum(&own, series)).sum(),
            skipped: sum(&own, "brownout_ticks_skipped_total"),
        })
    }
}

/// The sum of all series whose line begins so.
pub(super) fn sum(text: &str, begin: &str) -> f64 {
    let lines = text.lines().filter(|line| line.starts_with(begin));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum()
}
