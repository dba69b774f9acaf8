//! What a server answered, as a reading: classified, never guessed.
//!
//! The first class that holds is the reading's, in the order of [`Unknown`]. What speaks of the
//! connection (`Transport`, `Timeout`, `TooLarge`) is told by whoever asked, with [`Answer::unknown`].

mod body;
mod range;

pub use range::{Grid, Trust, range};

use std::sync::Arc;

use body::{Body, Element, Results};

use super::trust::distrust;
use crate::decide::{Reading, Unknown};

/// The longest detail, in characters.
const DETAIL_CHARS: usize = 200;

/// An HTTP answer as it came.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// The status code.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body, whole.
    pub body: &'a [u8],
}

/// A query's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The number, or why there is none.
    pub reading: Reading,
    /// What the server or the connection said, for a person who looks now. It changes by itself
    /// (positions, counts, addresses), so it never goes into a status or an Event.
    pub detail: Option<Arc<str>>,
    /// The server does not know a construct of the query: asking again will not help.
    pub rejected: bool,
}

impl Answer {
    /// No number, with a detail; an empty one is none.
    pub fn unknown(class: Unknown, detail: &str) -> Self {
        let flat = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = flat.chars().take(DETAIL_CHARS).collect();
        Self {
            reading: Reading::Unknown(class),
            detail: (!cut.is_empty()).then(|| Arc::from(cut)),
            rejected: false,
        }
    }

    /// A bare reading.
    pub const fn of(reading: Reading) -> Self {
        Self {
            reading,
            detail: None,
            rejected: false,
        }
    }
}

/// The reading of an instant query's answer.
pub fn instant(raw: &Raw<'_>) -> Answer {
    let body = match success(raw) {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let doubt = Doubt::of(&body);
    let verdict = match number(&body.data) {
        Err(Unknown::Malformed) => return malformed("an element without a value"),
        verdict => verdict,
    };
    // the order of the classes, not the order in which we come to know them
    match (verdict, doubt) {
        (Err(class), Some(doubt)) if class < doubt.class => Answer::unknown(class, ""),
        (_, Some(doubt)) => Answer::unknown(doubt.class, &doubt.text),
        (Err(class), None) => Answer::unknown(class, ""),
        (Ok(value), None) => Answer {
            detail: shown(&body),
            ..Answer::of(Reading::of(value))
        },
    }
}

/// The strongest reason to distrust an answer as a whole.
struct Doubt {
    class: Unknown,
    text: String,
}

impl Doubt {
    fn of(body: &Body) -> Option<Self> {
        let partial = body.is_partial.unwrap_or(false).then(|| Self {
            class: Unknown::Partial,
            text: "isPartial".to_owned(),
        });
        let annotations = body.annotations().filter_map(|text| {
            distrust(text).map(|class| Self {
                class,
                text: text.to_owned(),
            })
        });
        // `min_by_key` keeps the first of equals, and the server sends them in random order
        annotations.chain(partial).min_by_key(|doubt| doubt.class)
    }
}

/// A trusted annotation, for a person who looks.
fn shown(body: &Body) -> Option<Arc<str>> {
    let text = body.annotations().next()?;
    Answer::unknown(Unknown::Warning, text).detail
}

/// The one number of a result.
fn number(data: &Results) -> Result<f64, Unknown> {
    match (data.kind.as_str(), data.elements.as_slice()) {
        ("scalar", [Element::Number, Element::Text(value)]) => value.ok_or(Unknown::Malformed),
        ("vector", elements) => vector(elements),
        ("matrix" | "string", _) => Err(Unknown::ResultType),
        _ => Err(Unknown::Malformed),
    }
}

fn vector(elements: &[Element]) -> Result<f64, Unknown> {
    let mut values = Vec::with_capacity(1);
    let mut histogram = false;
    for element in elements {
        match element {
            Element::Series(s) if s.histogram.is_some() => histogram = true,
            Element::Series(s) => values.push(s.value.ok_or(Unknown::Malformed)?.1.0),
            Element::Number | Element::Text(_) => return Err(Unknown::Malformed),
        }
    }
    match values.as_slice() {
        _ if histogram => Err(Unknown::ResultType),
        [] => Err(Unknown::Empty),
        [value] => Ok(*value),
        _ => Err(Unknown::MultipleSeries),
    }
}

fn malformed(why: &str) -> Answer {
    Answer::unknown(Unknown::Malformed, why)
}

/// The body of a successful answer; anything else is classified.
fn success(raw: &Raw<'_>) -> Result<Body, Answer> {
    let media = raw.content_type.unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let json = media.eq_ignore_ascii_case("application/json");
    match raw.status {
        200..=299 => {}
        300..=399 => {
            let detail = format!("HTTP {}: redirects are not followed", raw.status);
            return Err(Answer::unknown(Unknown::Transport, &detail));
        }
        _ => return Err(failure(raw, json)),
    }
    if !json {
        let detail = format!("content type {media:?}, not application/json");
        return Err(malformed(&detail));
    }
    // the decoder does not look into text that it skips
    let Ok(text) = std::str::from_utf8(raw.body) else {
        return Err(malformed("not UTF-8"));
    };
    let body = match serde_json::from_str::<Body>(text) {
        Ok(body) => body,
        Err(error) => return Err(malformed(&error.to_string())),
    };
    if body.status == "success" {
        Ok(body)
    } else {
        Err(malformed(&format!("status {:?}", body.status)))
    }
}

/// An error status: with a Prometheus body where the server had a say, without one where something
/// on the way did.
fn failure(raw: &Raw<'_>, json: bool) -> Answer {
    let said = json
        .then(|| serde_json::from_slice::<body::Failure>(raw.body).ok())
        .flatten();
    let Some(said) = said else {
        return Answer::unknown(Unknown::Http, &format!("HTTP {}", raw.status));
    };
    if said.kind.parse() == Ok(raw.status) {
        return victoria_metrics(raw.status, &said.error);
    }
    let detail = format!("HTTP {}: {}: {}", raw.status, said.kind, said.error);
    // the server gave up at the time limit that we sent along
    if raw.status == 503 && said.kind == "timeout" {
        return Answer::unknown(Unknown::Timeout, &detail);
    }
    Answer {
        rejected: raw.status == 400
            && said.kind == "bad_data"
            && said.error.contains("parse error"),
        ..Answer::unknown(Unknown::Http, &detail)
    }
}

/// `VictoriaMetrics` repeats the status as the type of error, and the query before what is wrong with it:
/// `error when executing query="…" for (time=…, step=…): unsupported function "…"`, with 422 for all of it.
fn victoria_metrics(status: u16, error: &str) -> Answer {
    let cause = error.rsplit_once("): ").map_or(error, |(_, cause)| cause);
    let unknown = ["unsupported function ", "unparsed data: "];
    Answer {
        rejected: status == 422 && unknown.iter().any(|words| cause.contains(words)),
        ..Answer::unknown(Unknown::Http, &format!("HTTP {status}: {cause}"))
    }
}

#[cfg(test)]
mod tests;
