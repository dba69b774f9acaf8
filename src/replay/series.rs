//! Recorded series: `{"signals":{"<name>":[[<unix seconds>,"<value>"|null|{"unknown":"<reason>"}],…]}}`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::decide::{Reading, Unknown};
use crate::policy::Policy;
use crate::time::{Span, Time};

/// Recorded series as ticks: one reading per signal of the policy at each time that any has a
/// sample, Empty where it has none. In order of time, never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    ticks: Vec<(Time, Vec<Reading>)>,
}

/// Two ticks that are further apart than two intervals: times start again there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideStep {
    /// The earlier tick.
    pub from: Time,
    /// The later tick.
    pub to: Time,
    /// The policy's interval.
    pub interval: Span,
}

/// Why recorded series cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// No JSON, or not of that shape.
    #[error(
        "no series of the form {{\"signals\":{{\"<name>\":[[<unix seconds>,\"<value>\"],…]}}}}: {0}"
    )]
    Shape(serde_json::Error),
    /// A series whose name is no signal's.
    #[error("signals.{series}: the policy has no such signal, only {signals}")]
    NoSuchSignal {
        /// The series.
        series: String,
        /// The signals that there are.
        signals: String,
    },
    /// Two series for one signal.
    #[error("signals.{0}: this series is there twice")]
    Twice(String),
    /// A sample that is none.
    #[error("signals.{series}[{index}]: {problem}")]
    Sample {
        /// The series.
        series: String,
        /// The sample's place in it, from 0.
        index: usize,
        /// What is wrong with it and what to write instead.
        problem: String,
    },
    /// Nothing to replay.
    #[error("signals: there is no sample in any series, so there is nothing to replay")]
    NoSamples,
}

impl Series {
    /// Reads series for a policy. Samples may be in any order.
    ///
    /// # Errors
    ///
    /// Refused are a series that is no signal's, two samples of a series at one time (to the
    /// millisecond), a value that is no number, a reason that is no class of Unknown, and series
    /// without any sample.
    pub fn parse(json: &str, policy: &Policy) -> Result<Self, SeriesError> {
        let file: File = serde_json::from_str(json).map_err(SeriesError::Shape)?;
        let mut ticks: BTreeMap<Time, Vec<Option<Reading>>> = BTreeMap::new();
        for (place, (series, samples)) in file.signals.0.iter().enumerate() {
            let signal = signal_named(policy, series)?;
            if file.signals.0[..place]
                .iter()
                .any(|(name, _)| name == series)
            {
                return Err(SeriesError::Twice(series.clone()));
            }
            for (index, sample) in samples.iter().enumerate() {
                let refuse = |problem| {
                    let series = series.clone();
                    SeriesError::Sample {
                        series,
                        index,
                        problem,
                    }
                };
                let (at, reading) = parse_sample(sample).map_err(refuse)?;
                let tick = ticks
                    .entry(at)
                    .or_insert_with(|| vec![None; policy.signals.len()]);
                if tick[signal].replace(reading).is_some() {
                    return Err(refuse(format!("a second sample at {at}")));
                }
            }
        }
        if ticks.is_empty() {
            return Err(SeriesError::NoSamples);
        }
        let empty = Reading::Unknown(Unknown::Empty);
        let filled = |tick: Vec<Option<Reading>>| {
            let readings = tick.into_iter().map(|reading| reading.unwrap_or(empty));
            readings.collect()
        };
        let ticks = ticks.into_iter().map(|(at, tick)| (at, filled(tick)));
        Ok(Self {
            ticks: ticks.collect(),
        })
    }

    /// Every tick in order: its time and its readings in the order of `policy.signals`.
    pub fn ticks(&self) -> impl Iterator<Item = (Time, &[Reading])> {
        self.ticks
            .iter()
            .map(|(at, readings)| (*at, readings.as_slice()))
    }

    /// Every step wider than two intervals of the policy.
    pub fn wide_steps(&self, policy: &Policy) -> Vec<WideStep> {
        let interval = policy.interval;
        let steps = self.ticks.windows(2).filter_map(|pair| match pair {
            [(from, _), (to, _)] => Some(WideStep {
                from: *from,
                to: *to,
                interval,
            }),
            _ => None,
        });
        steps
            .filter(|step| step.to - step.from > interval.times(2))
            .collect()
    }
}

impl fmt::Display for WideStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, interval) = (self.to - self.from, self.interval);
        write!(
            f,
            "no sample for {step} from {} to {}: at an interval of {interval} all times start again there",
            self.from, self.to
        )
    }
}

#[derive(Deserialize)]
struct File {
    signals: Named,
}

/// A JSON object in written order, double names and all: a map would keep the last one in silence.
struct Named(Vec<(String, Vec<Value>)>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of series by signal name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Named(pairs))
            }
        }
        from.deserialize_map(Pairs)
    }
}

fn signal_named(policy: &Policy, series: &str) -> Result<usize, SeriesError> {
    let mut signals = policy.signals.iter();
    signals
        .position(|signal| signal.name == series)
        .ok_or_else(|| {
            let names: Vec<&str> = policy.signals.iter().map(|s| s.name.as_str()).collect();
            SeriesError::NoSuchSignal {
                series: series.to_owned(),
                signals: names.join(", "),
            }
        })
}

fn parse_sample(sample: &Value) -> Result<(Time, Reading), String> {
    let Some([at, reading]) = sample.as_array().map(Vec::as_slice) else {
        return Err(format!("{sample} is no pair of a time and a value"));
    };
    Ok((parse_time(at)?, parse_reading(reading)?))
}

fn parse_time(at: &Value) -> Result<Time, String> {
    let seconds = at
        .as_f64()
        .ok_or_else(|| format!("the time {at} is no number of Unix seconds"))?;
    // what RFC 3339 can write
    if !(-62_135_596_800.0..=253_402_207_200.0).contains(&seconds) {
        return Err(format!("the time {at} is not between the years 1 and 9999"));
    }
    #[allow(clippy::cast_possible_truncation)] // rounded and bounded
    let millis = (seconds * 1000.0).round() as i64;
    Ok(Time::from_millis(millis))
}

fn parse_reading(reading: &Value) -> Result<Reading, String> {
    match reading {
        Value::Null => Ok(Reading::Unknown(Unknown::Empty)),
        Value::String(text) => text
            .parse()
            .map(Reading::of)
            .map_err(|_| format!("the value {reading} is no number; null says that there is none")),
        Value::Object(object) if object.len() == 1 => {
            let word = object.get("unknown").and_then(Value::as_str);
            word.and_then(|word| word.parse().ok())
                .map(Reading::Unknown)
                .ok_or_else(|| format!("{reading} names no reason; reasons are {}", reasons()))
        }
        Value::Number(number) => Err(format!("values are strings: write \"{number}\"")),
        _ => Err(format!(
            "{reading} is no value: a string, null or {{\"unknown\":\"<reason>\"}}"
        )),
    }
}

fn reasons() -> String {
    Unknown::ALL.map(Unknown::as_str).join(", ")
}
