//! A signal's reading out of the answers to its queries.

use std::sync::Arc;

use super::answer::Answer;
use crate::decide::{Reading, Unknown};

/// What a signal gave at a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The reading that is decided on.
    pub reading: Reading,
    /// How much traffic it rests on, where that is asked.
    pub count: Option<Reading>,
    /// What the server or the connection said, for a person who looks now; never for a status.
    pub detail: Option<Arc<str>>,
    /// The server does not know a construct of one of the queries.
    pub rejected: bool,
}

impl Observed {
    /// A reading with nothing to say about it.
    pub const fn of(reading: Reading) -> Self {
        Self {
            reading,
            count: None,
            detail: None,
            rejected: false,
        }
    }

    /// The value's answer, and the count's with the least that it must be.
    ///
    /// The classes keep their order: what is wrong with the value up to `Warning` stands; then an
    /// Unknown count gives its reason and one below the least gives `LowTraffic`; then the value.
    pub fn new(value: &Answer, count: Option<(&Answer, f64)>) -> Self {
        let Some((counted, at_least)) = count else {
            return Self {
                detail: value.detail.clone(),
                rejected: value.rejected,
                ..Self::of(value.reading)
            };
        };
        let guard = low_traffic(counted.reading, at_least);
        let (reading, said_by) = match (value.reading, guard) {
            (Reading::Unknown(class), _) if class < Unknown::LowTraffic => (value.reading, value),
            (_, Some(class)) => (Reading::Unknown(class), counted),
            (reading, None) => (reading, value),
        };
        Self {
            reading,
            count: Some(counted.reading),
            detail: said_by.detail.clone(),
            rejected: value.rejected || counted.rejected,
        }
    }
}

/// Value and count as bare readings, as a recorded series holds them.
pub fn combine(value: Reading, count: Option<(Reading, f64)>) -> Reading {
    let count = count.map(|(reading, at_least)| (Answer::of(reading), at_least));
    let count = count.as_ref().map(|(answer, least)| (answer, *least));
    Observed::new(&Answer::of(value), count).reading
}

/// Why a count does not let the value through, if it does not.
fn low_traffic(count: Reading, at_least: f64) -> Option<Unknown> {
    match count {
        Reading::Unknown(class) => Some(class),
        Reading::Value(n) => (n < at_least).then_some(Unknown::LowTraffic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Unknown::{Empty, LowTraffic, NaN, Partial, Timeout, Transport};

    #[test]
    fn value_and_count_make_one_reading() {
        let known = Reading::Value;
        let not = Reading::Unknown;
        for (value, count, reading) in [
            (known(0.5), None, known(0.5)),
            (not(Empty), None, not(Empty)),
            (known(0.5), Some(known(20.0)), known(0.5)),
            (known(0.5), Some(known(19.9)), not(LowTraffic)),
            (not(NaN), Some(known(0.0)), not(LowTraffic)),
            (not(Empty), Some(known(0.0)), not(LowTraffic)),
            (not(NaN), Some(known(20.0)), not(NaN)),
            (known(0.5), Some(not(Empty)), not(Empty)),
            (known(0.5), Some(not(Timeout)), not(Timeout)),
            (known(0.5), Some(not(LowTraffic)), not(LowTraffic)),
            (not(NaN), Some(not(Transport)), not(Transport)),
            // what is wrong with the value itself comes first
            (not(Partial), Some(known(0.0)), not(Partial)),
            (not(Timeout), Some(not(Transport)), not(Timeout)),
        ] {
            let count = count.map(|c| (c, 20.0));
            assert_eq!(combine(value, count), reading, "{value:?} {count:?}");
        }
    }

    #[test]
    fn zero_requests_are_low_traffic_from_one_on() {
        let count = Reading::Value(0.0);
        assert_eq!(
            combine(Reading::Unknown(NaN), Some((count, 1.0))),
            Reading::Unknown(LowTraffic)
        );
        assert_eq!(
            combine(Reading::Unknown(NaN), Some((count, 0.0))),
            Reading::Unknown(NaN)
        );
    }
}
