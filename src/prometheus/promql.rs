//! Text to syntax tree and back, never trusting the parser with more than it can take.

use std::panic;

use promql_parser::parser::{self, Expr};

use super::check::literals;
use super::query::Query;
use super::tenancy::Tenant;

/// The longest query in characters: what the CRD allows. Within it the parser's recursion stays far
/// from the end of a worker thread's stack; beyond it an abort of the whole process is possible.
pub const MAX_CHARS: usize = 1024;

/// The longest query in bytes: [`MAX_CHARS`] of four bytes each.
pub const MAX_BYTES: usize = 4 * MAX_CHARS;

/// Parses a query that a user wrote.
///
/// # Errors
///
/// A sentence for that user: what is wrong and, where known, what to write instead.
pub fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > MAX_BYTES || text.chars().count() > MAX_CHARS {
        return Err(format!("is longer than {MAX_CHARS} characters"));
    }
    literals(text)?;
    read(text).map_err(|error| match error {
        Some(error) => explain(text, &error),
        None => "cannot be parsed: a number in it is out of every range".to_owned(),
    })
}

/// Parses, and nothing else. `None` is the error of a parser that panicked, as it does on a few absurd
/// durations.
pub(super) fn read(text: &str) -> Result<Expr, Option<String>> {
    match panic::catch_unwind(|| parser::parse(text)) {
        Ok(parsed) => parsed.map_err(Some),
        Err(_) => Err(None),
    }
}

/// Prints an expression as it may be sent: bound to a tenant, where there is one. There is no other
/// way to make a [`Query`] of what a user wrote.
///
/// # Errors
///
/// Where it cannot be bound; and where the print does not read back as what was printed, since it
/// would be another query.
pub fn print(mut expr: Expr, tenant: Option<&Tenant>) -> Result<Query, String> {
    if let Some(tenant) = tenant {
        tenant.pin(&mut expr)?;
    }
    let text = expr.to_string();
    let read_back = read(&text).is_ok_and(|mut read| {
        read.to_string() == text && tenant.is_none_or(|tenant| tenant.holds(&mut read))
    });
    if !read_back {
        return Err(
            "cannot be printed without changing its meaning: write it more simply".to_owned(),
        );
    }
    Ok(Query::printed(&text))
}

/// The parser's message, preceded by what is known about its usual causes.
fn explain(text: &str, error: &str) -> String {
    let code = super::check::without_strings(text);
    let word = |w: &str| {
        code.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|x| x == w)
    };
    let hint = if code.contains('$') {
        "a Grafana variable cannot be used here: write a duration such as 1m, or the value itself"
    } else if text.trim().is_empty() {
        "is empty"
    } else if error.contains("non-empty matcher") {
        "has a selector that matches every series: name a metric"
    } else if word("smoothed") || word("anchored") {
        "`smoothed` and `anchored` are not known here: leave them out"
    } else if word("WITH") || word("default") {
        "MetricsQL is not known here: write plain PromQL"
    } else if calculated_duration(&code) {
        "calculated durations are not known here: write the result, such as 5m"
    } else if digits_with_underscores(&code) {
        "numbers with underscores are not known here: write the digits alone"
    } else if text.contains("\\Q") {
        "\\Q..\\E is not known here: escape each character"
    } else {
        return format!("cannot be parsed: {}", printable(error));
    };
    format!("{hint} ({})", printable(error))
}

/// A text that says what it shows: without control characters and those that turn the direction.
pub(super) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars()
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// An operator or a call where a duration is expected: within `[ ]` or after `offset (`.
fn calculated_duration(code: &str) -> bool {
    let in_brackets = code.split('[').skip(1).any(|rest| {
        let inner = rest.split(']').next().unwrap_or_default();
        inner.contains(['*', '+', '/', '(', '-', '%', '^'])
    });
    in_brackets
        || code
            .split("offset")
            .skip(1)
            .any(|rest| rest.trim_start().starts_with('('))
}

fn digits_with_underscores(code: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|x| x.starts_with(|c: char| c.is_ascii_digit()) && x.contains('_'))
}
