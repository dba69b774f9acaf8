//! The one walk over a syntax tree.
//!
//! There is no wildcard arm and no `..`: a variant or a field that a new parser adds must not compile
//! until somebody has said what is inside it. (The parser's own visitor forgets the parameter of an
//! aggregation.)

use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, FunctionArgs, MatrixSelector, ParenExpr, SubqueryExpr,
    UnaryExpr, VectorSelector,
};

/// Visits every expression of a tree, parents first, and stops at the first error.
pub(super) fn walk<E>(
    expr: &mut Expr,
    visit: &mut impl FnMut(&mut Expr) -> Result<(), E>,
) -> Result<(), E> {
    visit(expr)?;
    match expr {
        Expr::Aggregate(AggregateExpr {
            op: _,
            expr,
            param,
            modifier: _,
        }) => {
            if let Some(param) = param {
                walk(param, visit)?;
            }
            walk(expr, visit)
        }
        Expr::Unary(UnaryExpr { expr })
        | Expr::Paren(ParenExpr { expr })
        | Expr::Subquery(SubqueryExpr {
            expr,
            offset: _,
            at: _,
            range: _,
            step: _,
        }) => walk(expr, visit),
        Expr::Binary(BinaryExpr {
            op: _,
            lhs,
            rhs,
            modifier: _,
        }) => {
            walk(lhs, visit)?;
            walk(rhs, visit)
        }
        Expr::Call(Call {
            func: _,
            args: FunctionArgs { args },
        }) => args.iter_mut().try_for_each(|arg| walk(arg, visit)),
        // leaves; an extension never comes from the parser, and `check` and tenancy refuse it
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Ok(()),
    }
}

/// The selector that an expression itself is; those inside it are the walk's to find.
pub(super) fn selector(expr: &mut Expr) -> Option<&mut VectorSelector> {
    match expr {
        Expr::VectorSelector(selector) => Some(selector),
        Expr::MatrixSelector(MatrixSelector { vs, range: _ }) => Some(vs),
        Expr::Aggregate(_)
        | Expr::Unary(_)
        | Expr::Paren(_)
        | Expr::Binary(_)
        | Expr::Subquery(_)
        | Expr::Call(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => None,
    }
}
