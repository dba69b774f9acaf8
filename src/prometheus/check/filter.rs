//! Queries that are empty while all is well. To an alert that is normal; to a signal it is blindness.
//!
//! Refused is what can only be such a query: a filter at the root, reached through parentheses, signs,
//! functions, subqueries and arithmetic with a number; both sides of an `or`; `absent` also through
//! aggregations. A filter inside an aggregation (`sum(x > 5)`) or on one side of a join may be meant:
//! at most it earns a note.

use promql_parser::parser::token::{T_COUNT, T_GROUP, T_LAND, T_LOR, T_LUNLESS};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{BinaryExpr, Call, Expr};

const BLIND: &str = "the query is empty while all is well, and empty is Unknown";

/// Why a query is empty while all is well, where it is.
pub(super) fn at_the_root(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Paren(p) => at_the_root(&p.expr),
        Expr::Unary(u) => at_the_root(&u.expr),
        Expr::Subquery(s) => at_the_root(&s.expr),
        Expr::Binary(b) => binary(b),
        Expr::Call(c) => call(c),
        Expr::Aggregate(a) if is_absent(&a.expr) => at_the_root(&a.expr),
        Expr::Aggregate(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => None,
    }
}

fn binary(b: &BinaryExpr) -> Option<String> {
    let op = b.op.to_string();
    match b.op.id() {
        T_LAND | T_LUNLESS => Some(format!(
            "filters with `{op}`: {BLIND}; write the value alone, or multiply by a `bool` comparison"
        )),
        T_LOR => at_the_root(&b.lhs).and(at_the_root(&b.rhs)),
        _ if b.op.is_comparison_operator() => (!b.return_bool()).then(|| {
            format!("filters with `{op}`: {BLIND}; write the value alone and put the threshold in `levels`, or write `{op} bool`")
        }),
        _ => match (b.lhs.value_type(), b.rhs.value_type()) {
            (_, ValueType::Scalar) => at_the_root(&b.lhs),
            (ValueType::Scalar, _) => at_the_root(&b.rhs),
            _ => at_the_root(&b.lhs).and(at_the_root(&b.rhs)),
        },
    }
}

fn call(c: &Call) -> Option<String> {
    if c.func.name.starts_with("absent") {
        return Some(format!(
            "is {}(..): {BLIND}; a metric that vanished is what `missing` is for",
            c.func.name
        ));
    }
    let args = c.args.args.iter();
    // a bound or a factor does not make the result empty, vector() passes its argument on
    let passed_on =
        args.filter(|arg| arg.value_type() != ValueType::Scalar || c.func.name == "vector");
    passed_on.into_iter().find_map(|arg| at_the_root(arg))
}

fn is_absent(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(p) => is_absent(&p.expr),
        Expr::Aggregate(a) => is_absent(&a.expr),
        Expr::Call(c) => c.func.name.starts_with("absent"),
        _ => false,
    }
}

/// What is seldom meant about this one expression.
pub(super) fn note(node: &Expr) -> Option<String> {
    match node {
        Expr::Binary(b) if b.op.id() == T_LOR && is_constant(&b.rhs) => Some(format!(
            "contains `or {}`: where there is no data at all it reads as healthy; leave it out, so that missing data is seen",
            b.rhs
        )),
        Expr::Aggregate(a) if matches!(a.op.id(), T_COUNT | T_GROUP) && at_the_root(&a.expr).is_some() => Some(
            "counts what a filter lets through: where that is nothing it is empty, not 0; write sum(..) over a `bool` comparison".to_owned(),
        ),
        _ => None,
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(p) => is_constant(&p.expr),
        Expr::Call(c) => {
            c.func.name == "vector" && matches!(*c.args.args[0], Expr::NumberLiteral(_))
        }
        _ => false,
    }
}
