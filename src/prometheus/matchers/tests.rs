use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::policy::{LowTraffic, Measure, Signal};
use crate::prometheus::signals::signal_queries;
use crate::prometheus::walk::walk;
use crate::time::Span;

#[test]
fn matchers_select_and_do_nothing_else() {
    for good in [
        "",
        "  ",
        "job=\"a\"",
        "job=\"a\",",
        "job=\"a\",code=~\"5..\"",
        "a!=\"b\"",
        "a!~\"b|c\"",
        "# {",
        "job='x'",
        "job=`x`",
        "job=\"x\" # a comment",
        "job=\"x\\\"} or up{a=\\\"\"",
        "\"quoted.label\"=\"x\"",
    ] {
        assert!(parse_one(good).is_ok(), "{good}: {:?}", parse_one(good));
    }
    for bad in [
        "job=\"x\"} or up{",
        "job=\"x\"} #",
        "job=\"x\"}[5m] #",
        "job=\"x\"} offset 5m #",
        "a=\"b\" or c=\"d\"",
        "{job=\"x\"}",
        "\"up\"",
        "__name__=\"up\"",
        "le=\"1\"",
        "\"le\"=\"1\"",
        "job=\"x\"}[1m])) or sum(rate(up{",
        "job",
        "job=",
        "job=x",
        "}",
        "a=\"\\xff\"",
        "a=~\"(\"",
        "__name__!=\"up\"",
    ] {
        assert!(parse_one(bad).is_err(), "{bad}: {:?}", parse_one(bad));
    }
}

/// The tree with every selector's matchers left out, printed.
fn structure(query: &str) -> String {
    let mut expr = promql_parser::parser::parse(query).expect("what was printed parses");
    let Ok(()) = walk::<Infallible>(&mut expr, &mut |node| {
        match node {
            Expr::VectorSelector(v) => v.matchers.matchers.clear(),
            Expr::MatrixSelector(m) => m.vs.matchers.matchers.clear(),
            _ => {}
        }
        Ok(())
    });
    expr.to_string()
}

fn latency(matchers: String) -> Signal {
    Signal {
        name: "s".to_owned(),
        feature: None,
        low_traffic: LowTraffic::Clear,
        measure: Measure::Latency {
            histogram: "h".to_owned(),
            quantile: "0.95".to_owned(),
            matchers: vec![matchers],
            window: Span::from_secs(60),
            min_requests: 1,
        },
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("job"),
        Just("=\"x\""),
        Just("=~\"a|b\""),
        Just(","),
        Just("{"),
        Just("}"),
        Just("\""),
        Just("'"),
        Just("`"),
        Just("\\"),
        Just("#"),
        Just("\n"),
        Just(" or "),
        Just("[5m]"),
        Just(")"),
        Just("("),
        Just(" offset 5m"),
        Just(" @ 0"),
        Just("up"),
        Just("le=\"1\""),
        Just("__name__"),
        Just("!="),
        Just("é"),
        Just("\u{202e}"),
        Just("\0"),
        Just("job=\"x\""),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_matcher_text_changes_the_structure(text in pieces()) {
        let plain = signal_queries(&[latency(String::new())], None).expect("no matchers are fine");
        if let Ok(with) = signal_queries(&[latency(text)], None) {
            let pairs = [
                (&plain[0].value, &with[0].value),
                (&plain[0].count.as_ref().expect("a count").query, &with[0].count.as_ref().expect("a count").query),
            ];
            for (plain, with) in pairs {
                prop_assert_eq!(structure(plain.as_str()), structure(with.as_str()));
            }
        }
    }
}
