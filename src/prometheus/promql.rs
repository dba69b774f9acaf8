//! Text to syntax tree and back, never trusting the parser with more than it can take.

use std::panic;

use promql_parser::parser::{self, Expr};

use super::check::literals;
use super::query::Query;

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
    // the parser panics on a few absurd durations
    match panic::catch_unwind(|| parser::parse(text)) {
        Ok(Ok(expr)) => Ok(expr),
        Ok(Err(error)) => Err(explain(text, &error)),
        Err(_) => Err("cannot be parsed: a number in it is out of every range".to_owned()),
    }
}

/// Prints an expression.
///
/// # Errors
///
/// Where the print does not read back as what was printed, it would be another query.
pub fn print(expr: &Expr) -> Result<Query, String> {
    let text = expr.to_string();
    let again = panic::catch_unwind(|| parser::parse(&text));
    match again {
        Ok(Ok(read)) if read.to_string() == text => Ok(Query::printed(&text)),
        _ => Err("cannot be printed without changing its meaning: write it more simply".to_owned()),
    }
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
fn printable(text: &str) -> String {
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
