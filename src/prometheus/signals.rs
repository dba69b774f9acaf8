//! A policy's signals as queries.

use promql_parser::label::Matcher;
use thiserror::Error;

use super::check;
use super::matchers::{contradiction, parse_all, parse_one};
use super::query::Query;
use super::templates::{self, Latency};
use super::tenancy::Tenant;
use crate::policy::{Measure, Signal};

/// The queries of one signal. Value and count are asked at each tick, at one time; the others are
/// asked now and then, for advice.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalQueries {
    /// The signal's name.
    pub name: String,
    /// What the signal reads.
    pub value: Query,
    /// How much traffic the reading rests on, and how much it must.
    pub count: Option<Count>,
    /// The highest finite bound of the histogram's buckets, which no quantile ever exceeds.
    pub top: Option<Query>,
    /// Samples of the best series within the window: 1 is too few for a rate, none is no series.
    pub samples: Option<Query>,
    /// The same for the series that `errors` selects.
    pub errors_exist: Option<Query>,
    /// The range of the typed signal's rate, as its queries print it.
    pub window: Option<crate::time::Span>,
}

/// A query that counts traffic, and the least that makes a reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// What counts the traffic.
    pub query: Query,
    /// Below this the reading is `LowTraffic`.
    pub at_least: f64,
}

/// A query that is not sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("spec.{field} {message}")]
pub struct QueryRefused {
    /// Where it is in the spec, such as `signals[2].query`.
    pub field: String,
    /// What is wrong and what to write instead; completes a sentence that begins with the field.
    pub message: String,
}

/// The queries of all signals of a policy, in their order, each bound to the tenant that the policy's
/// namespace is where its source has tenancy.
///
/// # Errors
///
/// Everything that is wrong, not the first thing only.
pub fn signal_queries(
    signals: &[Signal],
    tenant: Option<&Tenant>,
) -> Result<Vec<SignalQueries>, Vec<QueryRefused>> {
    let mut refused = Vec::new();
    let mut queries = Vec::with_capacity(signals.len());
    for (i, signal) in signals.iter().enumerate() {
        match of_signal(signal, tenant) {
            Ok(signal) => queries.push(signal),
            Err((field, message)) => refused.push(QueryRefused {
                field: format!("signals[{i}].{field}"),
                message,
            }),
        }
    }
    if refused.is_empty() {
        Ok(queries)
    } else {
        Err(refused)
    }
}

/// What is allowed but seldom meant: a note per field.
pub fn notes(signals: &[Signal]) -> Vec<QueryRefused> {
    let mut notes = Vec::new();
    for (i, signal) in signals.iter().enumerate() {
        let Measure::Query { query, min_samples } = &signal.measure else {
            continue;
        };
        let count = min_samples
            .as_ref()
            .map(|m| ("minSamples.query", m.query.as_str()));
        for (field, text) in [("query", query.as_str())].into_iter().chain(count) {
            notes.extend(check::notes(text).into_iter().map(|message| QueryRefused {
                field: format!("signals[{i}].{field}"),
                message,
            }));
        }
    }
    notes
}

type Refused = (&'static str, String);

fn of_signal(signal: &Signal, tenant: Option<&Tenant>) -> Result<SignalQueries, Refused> {
    let name = signal.name.clone();
    match &signal.measure {
        Measure::Latency {
            histogram,
            quantile,
            matchers,
            window,
            min_requests,
        } => {
            let matchers = parse_all(matchers, tenant).map_err(at("latency.matchers"))?;
            let latency = Latency {
                histogram,
                quantile: parse_quantile(quantile).map_err(at("latency.quantile"))?,
                matchers: &matchers,
                window: *window,
            };
            templates::latency(name, &latency, *min_requests, tenant)
                .map_err(at("latency.histogram"))
        }
        Measure::ErrorRatio {
            counter,
            errors,
            matchers,
            window,
            min_requests,
        } => {
            let matchers = parse_all(matchers, tenant).map_err(at("errorRatio.matchers"))?;
            let errors =
                parse_errors(errors, &matchers, tenant).map_err(at("errorRatio.errors"))?;
            let (selected, measured) = ((&*matchers, &*errors), (*window, *min_requests));
            templates::error_ratio(name, counter, selected, measured, tenant)
                .map_err(at("errorRatio.counter"))
        }
        Measure::Query { query, min_samples } => {
            let value = check::query(query, tenant).map_err(at("query"))?;
            let count = min_samples.as_ref().map(|m| {
                let query = check::query(&m.query, tenant).map_err(at("minSamples.query"))?;
                let at_least = m.at_least;
                Ok::<_, Refused>(Count { query, at_least })
            });
            Ok(SignalQueries {
                name,
                value,
                count: count.transpose()?,
                top: None,
                samples: None,
                errors_exist: None,
                window: None,
            })
        }
    }
}

fn at(field: &'static str) -> impl Fn(String) -> Refused {
    move |message| (field, message)
}

fn parse_quantile(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(q) if q > 0.0 && q < 1.0 => Ok(q),
        _ => Err(format!(
            "is {text:?}: write a decimal above 0 and below 1, such as \"0.95\""
        )),
    }
}

fn parse_errors(
    text: &str,
    matchers: &[Matcher],
    tenant: Option<&Tenant>,
) -> Result<Vec<Matcher>, String> {
    let errors = parse_one(text)?;
    tenant.map_or(Ok(()), |tenant| tenant.compatible(&errors))?;
    if errors.is_empty() {
        return Err(
            "is empty: write what tells errors from the rest, such as outcome=\"error\"".to_owned(),
        );
    }
    let all: Vec<_> = matchers.iter().chain(&errors).cloned().collect();
    match contradiction(&all) {
        Some(text) => Err(format!("selects nothing: {text}")),
        None => Ok(errors),
    }
}

#[cfg(test)]
mod tests;
