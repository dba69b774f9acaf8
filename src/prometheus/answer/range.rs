//! The answer of a range query, on the full grid of the times that were asked for.

use super::body::{Element, Series};
use super::{Answer, Doubt, Raw, malformed, success};
use crate::decide::{Reading, Unknown};
use crate::time::{Span, Time};

/// Evenly spaced times, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first time.
    pub from: Time,
    /// The distance between two; at least a millisecond.
    pub step: Span,
    /// How many there are.
    pub len: usize,
}

/// What an engine warning, which speaks of a whole range, does to its single readings. (Missing data
/// makes them Unknown in any case.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// All are Unknown: for acting on them.
    Strict,
    /// They keep their values: for showing them, with the warning.
    Warned,
}

impl Grid {
    /// The times from `from` to `to`, which is the last one only where it is on the grid. Empty where
    /// `to` is earlier than `from`.
    pub fn new(from: Time, to: Time, step: Span) -> Self {
        let step = Span::from_millis(step.as_millis().max(1));
        let steps = (to - from).as_millis().div_euclid(step.as_millis());
        Self {
            from,
            step,
            len: usize::try_from(steps + 1).unwrap_or(0),
        }
    }

    /// The n-th time.
    pub fn time(&self, n: usize) -> Time {
        self.from + self.step.times(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// The grid in pieces of at most `len` times.
    pub fn chunks(self, len: usize) -> impl Iterator<Item = Self> {
        (0..self.len).step_by(len.max(1)).map(move |start| Self {
            from: self.time(start),
            len: len.max(1).min(self.len - start),
            ..self
        })
    }

    /// The place of a time in seconds, which must be on the grid to the millisecond.
    #[allow(clippy::cast_possible_truncation)] // a time beyond i64 milliseconds saturates: off the grid
    fn place(&self, seconds: f64) -> Option<usize> {
        let off = (seconds * 1000.0).round() as i64 - self.from.as_millis();
        let step = self.step.as_millis();
        let n = usize::try_from(off.div_euclid(step)).ok()?;
        (off.rem_euclid(step) == 0 && n < self.len).then_some(n)
    }
}

/// A reading for each time of the grid, where the answer as a whole can be used, and the annotation
/// that puts it in doubt, if one does.
///
/// # Errors
///
/// The class and detail that hold for every time of the grid.
pub fn range(
    raw: &Raw<'_>,
    grid: &Grid,
    trust: Trust,
) -> Result<(Vec<Reading>, Option<String>), Answer> {
    let body = success(raw)?;
    let doubt = Doubt::of(&body);
    if let Some(doubt) = &doubt
        && (doubt.class != Unknown::Warning || trust == Trust::Strict)
    {
        return Err(Answer::unknown(doubt.class, &doubt.text));
    }
    if body.data.kind != "matrix" {
        return Err(match body.data.kind.as_str() {
            "vector" | "scalar" | "string" => Answer::unknown(Unknown::ResultType, ""),
            _ => malformed("a result of no known type"),
        });
    }
    let mut readings = vec![Reading::Unknown(Unknown::Empty); grid.len];
    for element in &body.data.elements {
        let Element::Series(series) = element else {
            return Err(malformed("a matrix without series"));
        };
        place(series, grid, &mut readings)
            .ok_or_else(|| malformed("a sample at a time that was not asked for"))?;
    }
    Ok((readings, doubt.map(|d| d.text)))
}

/// Enters a series; at each time it is the only one, or there are several.
fn place(series: &Series, grid: &Grid, readings: &mut [Reading]) -> Option<()> {
    for sample in series.values.iter().flatten() {
        let reading = &mut readings[grid.place(sample.0)?];
        *reading = match reading {
            Reading::Unknown(Unknown::Empty) => Reading::of(sample.1.0),
            Reading::Unknown(Unknown::ResultType) => *reading,
            _ => Reading::Unknown(Unknown::MultipleSeries),
        };
    }
    for (time, _) in series.histograms.iter().flatten() {
        readings[grid.place(*time)?] = Reading::Unknown(Unknown::ResultType);
    }
    Some(())
}
