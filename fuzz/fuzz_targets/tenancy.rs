//! Whatever a user writes into a signal, each selector of what is sent has the tenant's matcher.
#![no_main]

use brownout::policy::{LowTraffic, Measure, MinSamples, Signal};
use brownout::prometheus::signals::signal_queries;
use brownout::prometheus::tenancy::Tenant;
use brownout::time::Span;
use libfuzzer_sys::fuzz_target;
use promql_parser::parser::{self, Expr, VectorSelector};

fuzz_target!(
    // the parser panics on a few texts, which is caught: only a panic that gets here is a finding
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| {
        let Some((kind, text)) = data.split_first() else { return };
        let Ok(text) = std::str::from_utf8(text) else { return };
        let tenant = Tenant::new("namespace", "bots").expect("a label");
        let Ok(all) = signal_queries(&[signal(*kind, text)], Some(&tenant)) else { return };
        for signal in &all {
            let count = signal.count.as_ref().map(|count| &count.query);
            let rest = [count, signal.top.as_ref(), signal.samples.as_ref(), signal.errors_exist.as_ref()];
            for query in [&signal.value].into_iter().chain(rest.into_iter().flatten()) {
                let read = parser::parse(query.as_str()).expect("what is sent parses");
                if !bound(&read) {
                    eprintln!("{text:?} became {query}, which is not bound");
                    std::process::abort();
                }
            }
        }
    }
);

fn signal(kind: u8, text: &str) -> Signal {
    let window = Span::from_secs(60);
    let (text, one) = (text.to_owned(), |text: &str| text.to_owned());
    let latency = |histogram, quantile, matchers| Measure::Latency {
        histogram,
        quantile,
        matchers,
        window,
        min_requests: 1,
    };
    let ratio = |counter, errors| Measure::ErrorRatio {
        counter,
        errors,
        matchers: Vec::new(),
        window,
        min_requests: 1,
    };
    let measure = match kind.wrapping_sub(b'0') % 8 {
        0 => Measure::Query {
            query: text,
            min_samples: None,
        },
        1 => Measure::Query {
            query: one("up"),
            min_samples: Some(MinSamples {
                query: text,
                at_least: 1.0,
            }),
        },
        2 => latency(one("h"), one("0.5"), vec![text]),
        3 => latency(one("h"), one("0.5"), vec![text, one("job=\"a\"")]),
        4 => ratio(one("c"), text),
        5 => latency(text, one("0.5"), Vec::new()),
        6 => ratio(text, one("a=\"b\"")),
        _ => latency(one("h"), text, Vec::new()),
    };
    Signal {
        name: one("s"),
        feature: None,
        low_traffic: LowTraffic::Clear,
        measure,
    }
}

/// Another walk than the one that binds, so that they do not forget the same.
fn bound(expr: &Expr) -> bool {
    let of = |selector: &VectorSelector| {
        selector.matchers.or_matchers.is_empty()
            && selector
                .matchers
                .matchers
                .iter()
                .any(|m| m.to_string() == "namespace=\"bots\"")
    };
    match expr {
        Expr::VectorSelector(selector) => of(selector),
        Expr::MatrixSelector(range) => of(&range.vs),
        Expr::Aggregate(a) => bound(&a.expr) && a.param.as_deref().is_none_or(bound),
        Expr::Unary(u) => bound(&u.expr),
        Expr::Paren(p) => bound(&p.expr),
        Expr::Binary(b) => bound(&b.lhs) && bound(&b.rhs),
        Expr::Subquery(s) => bound(&s.expr),
        Expr::Call(c) => c.func.name != "info" && c.args.args.iter().all(|arg| bound(arg)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => true,
        Expr::Extension(_) => false,
    }
}
