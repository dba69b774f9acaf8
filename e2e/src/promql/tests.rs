use brownout::prometheus::check;
use brownout::prometheus::tenancy::Tenant;
use promql_parser::parser::{self, Expr};

use super::*;

/// Another walk than the one that binds, so that they do not forget the same.
fn unbound(expr: &Expr) -> usize {
    let of = |selector: &parser::VectorSelector| {
        let bound = selector.matchers.or_matchers.is_empty()
            && selector
                .matchers
                .matchers
                .iter()
                .any(|m| m.to_string() == "namespace=\"bots\"");
        usize::from(!bound)
    };
    match expr {
        Expr::VectorSelector(selector) => of(selector),
        Expr::MatrixSelector(range) => of(&range.vs),
        Expr::Aggregate(a) => unbound(&a.expr) + a.param.as_deref().map_or(0, unbound),
        Expr::Unary(u) => unbound(&u.expr),
        Expr::Paren(p) => unbound(&p.expr),
        Expr::Binary(b) => unbound(&b.lhs) + unbound(&b.rhs),
        Expr::Subquery(s) => unbound(&s.expr),
        Expr::Call(c) => c.args.args.iter().map(|arg| unbound(arg)).sum(),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => 0,
        Expr::Extension(_) => 1,
    }
}

fn tenant() -> Tenant {
    Tenant::new("namespace", "bots").expect("a label")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn every_selector_of_a_random_query_is_bound(text in query()) {
        prop_assert!(parser::parse(&text).is_ok(), "the generator writes PromQL: {text}");
        if let Ok(query) = check::query(&text, Some(&tenant())) {
            let read = parser::parse(query.as_str()).expect("what is sent parses");
            prop_assert_eq!(unbound(&read), 0, "{} became {}", text, query);
        }
    }
}

#[test]
fn a_selector_that_is_not_bound_would_be_noticed() {
    for text in [
        "g",
        "topk(scalar(g), g{namespace=\"bots\"})",
        "rate(g{namespace=\"rival\"}[1m])",
    ] {
        assert_eq!(unbound(&parser::parse(text).expect(text)), 1, "{text}");
    }
}
