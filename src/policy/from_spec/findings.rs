//! Gathering violations, and the scalars that are checked everywhere.

use std::fmt;

use crate::policy::{parse_decimal, parse_duration};
use crate::time::Span;

/// One thing that is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, such as `spec.levels[1].when.any[0].signal`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Every violation so far. What cannot be understood is recorded and stands as a placeholder, so
/// that the rest is checked too.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Violation>);

impl Findings {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Records the message where the check fails.
    pub(super) fn require(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.add(field, message);
        }
    }

    /// A duration between two bounds, both included.
    pub(super) fn duration(
        &mut self,
        field: &str,
        text: &str,
        (least, most): (&str, &str),
    ) -> Span {
        let bound = |text| parse_duration(text).unwrap_or_default();
        let within = |&span: &Span| bound(least) <= span && span <= bound(most);
        parse_duration(text).filter(within).unwrap_or_else(|| {
            let text = quoted(text);
            self.add(field, format!("must be a duration from {least} to {most}, largest unit first, such as {EXAMPLES}, not {text}"));
            Span::ZERO
        })
    }

    /// A threshold.
    pub(super) fn decimal(&mut self, field: &str, text: &str) -> f64 {
        parse_decimal(text).unwrap_or_else(|| {
            let text = quoted(text);
            self.add(field, format!("must be a plain decimal in quotes, without unit or exponent, such as \"0.05\", not {text}"));
            0.0
        })
    }

    /// The number of entries of a list or map.
    pub(super) fn count(&mut self, field: &str, count: usize, least: usize, most: usize) {
        self.require(
            (least..=most).contains(&count),
            field,
            format!("must have {least} to {most} entries, not {count}"),
        );
    }

    /// The name of a signal or a level.
    pub(super) fn name(&mut self, field: &str, text: &str) {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let fits = fits(text, 63, inner)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric());
        self.require(fits, field, "may hold letters, digits, - and _, begins and ends with a letter or digit, and has at most 63 characters");
    }

    /// The name of a feature.
    pub(super) fn feature(&mut self, field: &str, text: &str) {
        let fits = fits(text, 63, |c| {
            c.is_ascii_alphanumeric() || c == '-' || c == '_'
        });
        self.require(
            fits,
            field,
            "is a ConfigMap key: write letters, digits, - and _, no dots, at most 63 characters",
        );
    }

    /// The name of an object.
    pub(super) fn object(&mut self, field: &str, text: &str) {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let label = |part: &str| {
            part.starts_with(alphanumeric)
                && part.ends_with(alphanumeric)
                && part.chars().all(|c| alphanumeric(c) || c == '-')
        };
        self.require(
            text.len() <= 253 && text.split('.').all(label),
            field,
            "must be the name of an object: lower-case letters, digits, - and ., at most 253 characters",
        );
    }

    /// The bare name of a metric.
    pub(super) fn metric(&mut self, field: &str, text: &str) {
        let fits = fits(text, 200, |c| {
            c.is_ascii_alphanumeric() || c == '_' || c == ':'
        }) && !text.starts_with(|c: char| c.is_ascii_digit());
        self.require(fits, field, "must be the bare name of a metric: letters, digits, _ and :, without selector or function");
    }

    /// A query or label matchers.
    pub(super) fn query(&mut self, field: &str, text: &str) {
        let length = text.chars().count();
        self.require(!text.trim().is_empty(), field, "must not be blank");
        self.require(
            length <= 1024,
            field,
            format!("must have at most 1024 characters, not {length}"),
        );
    }
}

const EXAMPLES: &str = "30s or 1m30s";

/// At most so many characters, at least one, all of a kind.
fn fits(text: &str, most: usize, kind: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.len() <= most && text.chars().all(kind)
}

/// What a user wrote, in quotes and not at length.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}
