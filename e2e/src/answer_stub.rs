//! A server of Prometheus' HTTP API whose values a test sets: known at once, with their past, where
//! scraping would cost each of hundreds of cases some seconds.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::response::Json;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Each series' changes: since when in Unix seconds, and what.
type Series = BTreeMap<String, Vec<(f64, f64)>>;

/// A server on a free port. Dropping it closes the port.
pub struct AnswerStub {
    address: SocketAddr,
    series: Arc<Mutex<Series>>,
    server: JoinHandle<()>,
}

impl AnswerStub {
    /// Starts a server with these series, which have always been 0. A query gives the series whose
    /// name it contains.
    pub async fn start(names: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let always = |name: &&str| ((*name).to_owned(), vec![(0.0, 0.0)]);
        let series: Arc<Mutex<Series>> = Arc::new(Mutex::new(names.iter().map(always).collect()));
        let app = Router::new()
            .route("/api/v1/query", post(instant).get(instant))
            .route("/api/v1/query_range", post(range).get(range))
            .with_state(Arc::clone(&series));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await; // ends with the task
        });
        Ok(Self {
            address,
            series,
            server,
        })
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets a series from now on.
    pub fn set(&self, name: &str, value: f64) {
        let now = jiff::Timestamp::now().as_duration().as_secs_f64();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series
            .entry(name.to_owned())
            .or_default()
            .push((now, value));
    }
}

impl Drop for AnswerStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn instant(State(series): State<Arc<Mutex<Series>>>, form: String) -> Json<Value> {
    let asked = read(&form);
    let time = number(&asked, "time");
    let value = value(&series, &asked, time);
    let result: Vec<Value> = value
        .map(|value| json!({"metric": {}, "value": [time, value.to_string()]}))
        .into_iter()
        .collect();
    Json(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

async fn range(State(series): State<Arc<Mutex<Series>>>, form: String) -> Json<Value> {
    let asked = read(&form);
    let (mut time, end, step) = (
        number(&asked, "start"),
        number(&asked, "end"),
        number(&asked, "step").max(0.1),
    );
    let mut values = Vec::new();
    while time <= end {
        if let Some(value) = value(&series, &asked, time) {
            values.push(json!([time, value.to_string()]));
        }
        time += step;
    }
    let result = if values.is_empty() {
        json!([])
    } else {
        json!([{"metric": {}, "values": values}])
    };
    Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
}

fn read(form: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://form/?{form}"));
    url.map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

fn number(asked: &BTreeMap<String, String>, name: &str) -> f64 {
    let text = asked.get(name).map_or("", String::as_str);
    text.trim_end_matches('s').parse().unwrap_or_default()
}

fn value(series: &Mutex<Series>, asked: &BTreeMap<String, String>, time: f64) -> Option<f64> {
    let query = asked.get("query")?;
    let series = series.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, changes) = series.iter().find(|(name, _)| query.contains(*name))?;
    let (_, value) = changes.iter().rev().find(|(since, _)| *since <= time)?;
    Some(*value)
}
