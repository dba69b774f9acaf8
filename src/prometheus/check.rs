//! What a query must be to be a signal: it reads series, gives one number, and gives it also while
//! all is well.

mod filter;
mod text;

pub(super) use text::{literals, without_strings};

use promql_parser::label::Matchers;
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{Expr, LabelModifier, Offset, VectorMatchCardinality};

use super::promql;
use super::query::Query;
use super::tenancy::Tenant;
use super::walk::{selector, walk};

/// Checks a query that a user wrote, and prints it, bound to the tenant that asks it.
///
/// # Errors
///
/// A sentence for that user, which goes on where the field's name ends.
pub fn query(text: &str, tenant: Option<&Tenant>) -> Result<Query, String> {
    let mut expr = promql::parse(text)?;
    let mut selectors = 0_usize;
    let mut infinite = false;
    walk(&mut expr, &mut |node| {
        selectors += usize::from(selector(node).is_some());
        infinite |= matches!(node, Expr::NumberLiteral(n) if n.val.is_infinite());
        allowed(node)
    })?;
    if infinite && !text::spells_infinity(text) {
        return Err("has a number that is out of range: write Inf if infinity is meant".to_owned());
    }
    match expr.value_type() {
        ValueType::Vector | ValueType::Scalar => {}
        ValueType::Matrix => {
            return Err("gives a range, not a number: wrap it, for example in rate(..) or max_over_time(..)".to_owned());
        }
        ValueType::String => return Err("gives a string, not a number".to_owned()),
    }
    if selectors == 0 {
        return Err("reads no series: name a metric".to_owned());
    }
    if let Some(what) = filter::at_the_root(&expr) {
        return Err(what);
    }
    promql::print(expr, tenant)
}

/// What is allowed but seldom meant. A query that does not parse has no notes.
pub fn notes(text: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if let Ok(mut expr) = promql::parse(text) {
        let Ok(()) = walk::<std::convert::Infallible>(&mut expr, &mut |node| {
            notes.extend(filter::note(node));
            Ok(())
        });
    }
    notes
}

/// Refuses what no signal may contain, wherever it stands.
fn allowed(node: &Expr) -> Result<(), String> {
    match node {
        Expr::VectorSelector(v) => {
            selects(&v.matchers, v.name.is_some())?;
            moves(v.at.is_some(), v.offset.as_ref())
        }
        Expr::MatrixSelector(m) => {
            selects(&m.vs.matchers, m.vs.name.is_some())?;
            whole_milliseconds(m.range)?;
            moves(m.vs.at.is_some(), m.vs.offset.as_ref())
        }
        Expr::Subquery(s) => {
            whole_milliseconds(s.range)?;
            s.step.map_or(Ok(()), whole_milliseconds)?;
            moves(s.at.is_some(), s.offset.as_ref())
        }
        Expr::Call(c) if c.func.name == "info" => {
            Err("uses info(), which reads series that no matcher bounds: join them with `* on (..) group_left (..)`".to_owned())
        }
        Expr::Binary(b) => match &b.modifier {
            Some(m) => match (&m.matching, &m.card) {
                // its print loses the `ignoring ()`, which the server then refuses
                (
                    Some(LabelModifier::Exclude(labels)),
                    VectorMatchCardinality::ManyToOne(_) | VectorMatchCardinality::OneToMany(_),
                ) if labels.is_empty() => {
                    Err("uses ignoring () without a label beside group_left or group_right: name the labels to match with on (..)".to_owned())
                }
                _ => Ok(()),
            },
            None => Ok(()),
        },
        Expr::Extension(_) => Err("uses an extension of the parser".to_owned()),
        Expr::Call(_)
        | Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Paren(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_) => Ok(()),
    }
}

fn selects(matchers: &Matchers, named: bool) -> Result<(), String> {
    if !matchers.or_matchers.is_empty() {
        return Err("uses `or` inside matchers, which is not PromQL: use a regular expression, such as a=~\"b|c\"".to_owned());
    }
    if !named && matchers.is_empty_matchers() {
        return Err("has a selector that matches every series: name a metric".to_owned());
    }
    Ok(())
}

fn moves(at: bool, offset: Option<&Offset>) -> Result<(), String> {
    if at {
        return Err("uses `@`, which fixes the time, so that live and replayed readings differ: leave it out".to_owned());
    }
    match offset {
        Some(Offset::Neg(_)) => {
            Err("uses a negative offset, which looks into the future: leave it out".to_owned())
        }
        Some(Offset::Pos(by)) => whole_milliseconds(*by),
        None => Ok(()),
    }
}

fn whole_milliseconds(duration: std::time::Duration) -> Result<(), String> {
    if duration.subsec_nanos().is_multiple_of(1_000_000) && !duration.is_zero() {
        Ok(())
    } else {
        Err("has a duration that is not whole milliseconds: write one such as 30s or 1m".to_owned())
    }
}

#[cfg(test)]
mod tests;
