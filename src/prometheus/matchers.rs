//! Label matchers as users write them: text that can select, and do nothing else.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::Expr;

use super::check::literals;
use super::promql::{self, MAX_CHARS};
use super::tenancy::Tenant;

/// Parses several texts into one list: the policy's default and the signal's own.
pub fn parse_all(texts: &[String], tenant: Option<&Tenant>) -> Result<Vec<Matcher>, String> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(parse_one(text)?);
    }
    if let Some(tenant) = tenant {
        let here = |e| format!("{e}, from here or from spec.defaults.matchers");
        tenant.compatible(&all).map_err(here)?;
    }
    match contradiction(&all) {
        Some(text) => Err(format!("select nothing: {text}")),
        None => Ok(all),
    }
}

/// Parses matchers such as `job="a",code=~"5.."`. Whatever the text is, the result is matchers that
/// narrow a selector, never another metric, modifier or selector.
///
/// # Errors
///
/// A sentence that names the problem.
pub fn parse_one(text: &str) -> Result<Vec<Matcher>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let said = |what: &str| format!("{text:?}: {what}");
    if text.chars().count() > MAX_CHARS {
        return Err(format!("are longer than {MAX_CHARS} characters"));
    }
    literals(text).map_err(|e| said(&e))?;
    // the newline keeps a trailing comment from swallowing the brace
    let wrapped = format!("m{{{text}\n}}");
    let only = "only label matchers belong here, such as job=\"a\",code=~\"5..\"";
    let Ok(Expr::VectorSelector(selector)) = promql::read(&wrapped) else {
        return Err(said(only));
    };
    let plain =
        selector.name.as_deref() == Some("m") && selector.at.is_none() && selector.offset.is_none();
    if !plain {
        return Err(said(only));
    }
    if !selector.matchers.or_matchers.is_empty() {
        return Err(said(
            "`or` inside matchers is not PromQL: use a regular expression, such as a=~\"b|c\"",
        ));
    }
    let matchers = selector.matchers.matchers;
    if matchers.iter().any(|m| m.name == "le") {
        return Err(said("`le` belongs to the operator: leave it out"));
    }
    // `m` in front makes a quoted name an error of the parser; this is for the day it does not
    if matchers.iter().any(|m| m.name == "__name__") {
        return Err(said("`__name__` belongs to the operator: leave it out"));
    }
    Ok(matchers)
}

/// Two matchers that no series can satisfy at once, as a text.
pub(super) fn contradiction(matchers: &[Matcher]) -> Option<String> {
    let equalities = matchers.iter().filter(|m| matches!(m.op, MatchOp::Equal));
    for equal in equalities {
        let other = matchers
            .iter()
            .find(|m| m.name == equal.name && !m.is_match(&equal.value));
        if let Some(other) = other {
            return Some(format!("no series has both {equal} and {other}"));
        }
    }
    None
}

#[cfg(test)]
mod tests;
