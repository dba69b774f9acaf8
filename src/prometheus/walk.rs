//! The one walk over a syntax tree.

use promql_parser::parser::Expr;

/// Visits every expression of a tree, parents first, and stops at the first error.
///
/// There is no wildcard arm: a variant that a new parser adds must not compile until somebody has
/// said what is inside it. (The parser's own visitor forgets the parameter of an aggregation.)
pub(super) fn walk<E>(
    expr: &mut Expr,
    visit: &mut impl FnMut(&mut Expr) -> Result<(), E>,
) -> Result<(), E> {
    visit(expr)?;
    match expr {
        Expr::Aggregate(a) => {
            if let Some(param) = &mut a.param {
                walk(param, visit)?;
            }
            walk(&mut a.expr, visit)
        }
        Expr::Unary(u) => walk(&mut u.expr, visit),
        Expr::Binary(b) => {
            walk(&mut b.lhs, visit)?;
            walk(&mut b.rhs, visit)
        }
        Expr::Paren(p) => walk(&mut p.expr, visit),
        Expr::Subquery(s) => walk(&mut s.expr, visit),
        Expr::Call(c) => c.args.args.iter_mut().try_for_each(|arg| walk(arg, visit)),
        // leaves; an extension never comes from the parser, and `check` refuses it
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Ok(()),
    }
}
