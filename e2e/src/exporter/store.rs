//! The metrics of an exporter and their text form.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::State;

/// Label names and values, sorted, as written between the braces.
type Labels = Vec<(String, String)>;

#[derive(Default)]
pub(super) struct Store {
    families: BTreeMap<String, Family>,
}

struct Family {
    kind: &'static str,
    series: BTreeMap<Labels, Value>,
}

enum Value {
    Number(f64),
    Buckets {
        bounds: Vec<f64>,
        counts: Vec<u64>,
        sum: f64,
    },
}

impl Store {
    pub(super) fn remove(&mut self, name: &str) {
        self.families.remove(name);
    }

    /// The value of a series, made by `empty` if there is none yet.
    fn value(
        &mut self,
        series: &Series,
        kind: &'static str,
        empty: impl FnOnce() -> Value,
    ) -> &mut Value {
        let family = self
            .families
            .entry(series.name.clone())
            .or_insert_with(|| Family {
                kind,
                series: BTreeMap::new(),
            });
        family
            .series
            .entry(series.labels.clone())
            .or_insert_with(empty)
    }

    fn number(&mut self, series: &Series, kind: &'static str) -> Option<&mut f64> {
        match self.value(series, kind, || Value::Number(0.0)) {
            Value::Number(number) => Some(number),
            Value::Buckets { .. } => None, // the name is a histogram's: Prometheus would refuse both
        }
    }
}

/// Which series a handle stands for.
struct Series {
    state: Arc<Mutex<State>>,
    name: String,
    labels: Labels,
}

impl Series {
    fn new(state: &Arc<Mutex<State>>, name: &str, labels: &[(&str, &str)]) -> Self {
        let mut labels: Labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        labels.sort();
        Self {
            state: Arc::clone(state),
            name: name.to_owned(),
            labels,
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(
            &mut self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .metrics,
        )
    }
}

/// A gauge of an exporter.
pub struct Gauge(Series);

impl Gauge {
    pub(super) fn new(state: &Arc<Mutex<State>>, name: &str, labels: &[(&str, &str)]) -> Self {
        let gauge = Self(Series::new(state, name, labels));
        gauge.change(|_| ());
        gauge
    }

    /// Sets the value; NaN and infinities are sent as such.
    pub fn set(&self, value: f64) {
        self.change(|number| *number = value);
    }

    fn change(&self, change: impl FnOnce(&mut f64)) {
        self.0
            .with(|store| store.number(&self.0, "gauge").map(change));
    }
}

/// A counter of an exporter.
pub struct Counter(Series);

impl Counter {
    pub(super) fn new(state: &Arc<Mutex<State>>, name: &str, labels: &[(&str, &str)]) -> Self {
        let counter = Self(Series::new(state, name, labels));
        counter.add(0.0);
        counter
    }

    /// Adds to the counter.
    pub fn add(&self, amount: f64) {
        self.0.with(|store| {
            store
                .number(&self.0, "counter")
                .map(|number| *number += amount)
        });
    }
}

/// A classic histogram of an exporter.
pub struct Histogram {
    series: Series,
    bounds: Vec<f64>,
}

impl Histogram {
    pub(super) fn new(
        state: &Arc<Mutex<State>>,
        name: &str,
        labels: &[(&str, &str)],
        bounds: &[f64],
    ) -> Self {
        let histogram = Self {
            series: Series::new(state, name, labels),
            bounds: bounds.to_vec(),
        };
        histogram.observe(0.0, 0);
        histogram
    }

    /// Observes a value a number of times.
    pub fn observe(&self, value: f64, times: u32) {
        let empty = || Value::Buckets {
            bounds: self.bounds.clone(),
            counts: vec![0; self.bounds.len() + 1],
            sum: 0.0,
        };
        self.series.with(|store| {
            if let Value::Buckets {
                bounds,
                counts,
                sum,
            } = store.value(&self.series, "histogram", empty)
            {
                let bucket = bounds
                    .iter()
                    .position(|bound| value <= *bound)
                    .unwrap_or(bounds.len());
                counts[bucket] += u64::from(times);
                *sum += value * f64::from(times);
            }
        });
    }
}

/// The text exposition format, version 0.0.4.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, family) in &self.families {
            writeln!(f, "# TYPE {name} {}", family.kind)?;
            for (labels, value) in &family.series {
                match value {
                    Value::Number(number) => {
                        writeln!(f, "{name}{} {number}", braces(labels, None))?;
                    }
                    Value::Buckets {
                        bounds,
                        counts,
                        sum,
                    } => write_histogram(f, name, labels, bounds, counts, *sum)?,
                }
            }
        }
        Ok(())
    }
}

fn write_histogram(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    labels: &Labels,
    bounds: &[f64],
    counts: &[u64],
    sum: f64,
) -> fmt::Result {
    let mut cumulative = 0;
    let ends = bounds
        .iter()
        .map(ToString::to_string)
        .chain(["+Inf".to_owned()]);
    for (end, count) in ends.zip(counts) {
        cumulative += count;
        writeln!(
            f,
            "{name}_bucket{} {cumulative}",
            braces(labels, Some(&end))
        )?;
    }
    writeln!(f, "{name}_sum{} {sum}", braces(labels, None))?;
    writeln!(f, "{name}_count{} {cumulative}", braces(labels, None))
}

fn braces(labels: &Labels, le: Option<&str>) -> String {
    let escape = |value: &str| {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let mut pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    pairs.extend(le.map(|le| format!("le=\"{le}\"")));
    if pairs.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", pairs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_that_of_prometheus() {
        let state = Arc::new(Mutex::new(State::default()));
        Gauge::new(&state, "depth", &[("queue", "a\"b")]).set(f64::NAN);
        Counter::new(&state, "requests_total", &[]).add(2.0);
        let seconds = Histogram::new(&state, "seconds", &[("tier", "x")], &[0.5, 1.0]);
        seconds.observe(0.5, 3);
        seconds.observe(7.0, 1);

        let text = state.lock().unwrap().metrics.to_string();
        assert_eq!(
            text,
            "# TYPE depth gauge\ndepth{queue=\"a\\\"b\"} NaN\n\
             # TYPE requests_total counter\nrequests_total 2\n\
             # TYPE seconds histogram\n\
             seconds_bucket{tier=\"x\",le=\"0.5\"} 3\nseconds_bucket{tier=\"x\",le=\"1\"} 3\n\
             seconds_bucket{tier=\"x\",le=\"+Inf\"} 4\nseconds_sum{tier=\"x\"} 8.5\nseconds_count{tier=\"x\"} 4\n"
        );
    }
}
