//! The JSON of an answer: strict where a number depends on it, tolerant elsewhere.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer};

/// The envelope of a success.
#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) status: String,
    #[serde(default)]
    pub(super) data: Results,
    warnings: Option<Vec<String>>,
    infos: Option<Vec<String>>,
    #[serde(rename = "isPartial")]
    pub(super) is_partial: Option<bool>,
}

impl Body {
    /// Warnings and infos, in this order.
    pub(super) fn annotations(&self) -> impl Iterator<Item = &str> {
        let both = [&self.warnings, &self.infos];
        both.into_iter().flatten().flatten().map(String::as_str)
    }
}

/// The envelope of an error.
#[derive(Deserialize)]
pub(super) struct Failure {
    #[serde(rename = "errorType")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) error: String,
}

#[derive(Default, Deserialize)]
pub(super) struct Results {
    #[serde(rename = "resultType")]
    pub(super) kind: String,
    #[serde(rename = "result")]
    pub(super) elements: Vec<Element>,
}

/// A thing in `result`: a series of a vector or matrix, or a half of a scalar or string.
pub(super) enum Element {
    Series(Series),
    Number,
    /// The number that the text spells, if it spells one.
    Text(Option<f64>),
}

#[derive(Deserialize)]
pub(super) struct Series {
    pub(super) value: Option<Sample>,
    pub(super) histogram: Option<IgnoredAny>,
    pub(super) values: Option<Vec<Sample>>,
    pub(super) histograms: Option<Vec<(f64, IgnoredAny)>>,
}

/// A time in seconds, and what was true then.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Sample(pub(super) f64, pub(super) Spelled);

/// A number spelled as a string, as Prometheus sends them; a bare JSON number is none.
#[derive(Clone, Copy)]
pub(super) struct Spelled(pub(super) f64);

impl<'de> Deserialize<'de> for Spelled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spelling;
        impl Visitor<'_> for Spelling {
            type Value = Spelled;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number spelled as a string")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Spelled, E> {
                let number = text
                    .parse()
                    .map_err(|_| E::custom("a value that is no number"))?;
                Ok(Spelled(number))
            }
        }
        deserializer.deserialize_str(Spelling)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Element;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a series, a time or a value spelled as a string")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                Series::deserialize(MapAccessDeserializer::new(map)).map(Element::Series)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Element, E> {
                Ok(Element::Number)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Element, E> {
                Ok(Element::Number)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Element, E> {
                Ok(Element::Number)
            }
            fn visit_str<E>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Text(text.parse().ok()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
