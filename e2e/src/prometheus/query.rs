//! Asking a Prometheus, for tests that want to know what the operator could see.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Prometheus;
use crate::http;
use crate::wait::await_condition;

/// One series of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, with `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Its value at the time of asking.
    pub value: f64,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((f64, String)),
    Matrix(Vec<Past>),
}

#[derive(Deserialize)]
struct Past {
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

impl Prometheus {
    /// Asks an instant query that gives a vector or a scalar.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>> {
        let url = reqwest::Url::parse_with_params(
            &format!("{}/api/v1/query", self.url()),
            [("query", query)],
        )?;
        match ask(&url).await? {
            Data::Scalar((_, value)) => Ok(vec![Sample {
                labels: BTreeMap::new(),
                value: value.parse()?,
            }]),
            Data::Vector(series) => series
                .into_iter()
                .map(|one| {
                    Ok(Sample {
                        labels: one.metric,
                        value: one.value.1.parse()?,
                    })
                })
                .collect(),
            Data::Matrix(_) => bail!("{query} gives a matrix"),
        }
    }

    /// Asks what a query of one series gave at each step from `from` to `to`, all in whole Unix
    /// seconds.
    pub async fn range(
        &self,
        query: &str,
        from: i64,
        to: i64,
        step: i64,
    ) -> Result<Vec<(i64, f64)>> {
        let url = reqwest::Url::parse_with_params(
            &format!("{}/api/v1/query_range", self.url()),
            [
                ("query", query),
                ("start", &from.to_string()),
                ("end", &to.to_string()),
                ("step", &step.to_string()),
            ],
        )?;
        let Data::Matrix(series) = ask(&url).await? else {
            bail!("{query} gives no matrix");
        };
        let [one] = series.as_slice() else {
            bail!("{query} gives {} series", series.len());
        };
        let steps = (from..=to).step_by(usize::try_from(step)?);
        let value_at = |at: i64| {
            let found = one
                .values
                .iter()
                .find(|(time, _)| time.round() == at as f64);
            found.map(|(_, value)| Ok((at, value.parse()?)))
        };
        steps.filter_map(value_at).collect()
    }

    /// Waits until a query gives exactly one series whose value is `wanted`.
    pub async fn await_value(
        &self,
        query: &str,
        deadline: Duration,
        wanted: impl Fn(f64) -> bool,
    ) -> Result<f64> {
        await_condition(&format!("a value of {query}"), deadline, || async {
            match self.query(query).await?.as_slice() {
                [one] if wanted(one.value) => Ok(Some(one.value)),
                [one] => bail!("it is {}", one.value),
                several => bail!("it gives {} series", several.len()),
            }
        })
        .await
    }
}

async fn ask(url: &reqwest::Url) -> Result<Data> {
    let body = http::get_text(url.as_str()).await?;
    let answer: Answer = serde_json::from_str(&body)
        .with_context(|| format!("not an answer of the query API: {body}"))?;
    Ok(answer.data)
}
