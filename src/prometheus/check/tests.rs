use super::*;

#[test]
fn queries_that_are_signals_are_printed() {
    for (text, print) in [
        ("up", "up"),
        (
            "max(bot_queue_depth{job=\"chatbotler\",queue=\"critical\"})",
            "max(bot_queue_depth{job=\"chatbotler\",queue=\"critical\"})",
        ),
        ("  sum( rate(x[5m]) ) # all of it", "sum(rate(x[5m]))"),
        ("x > bool 5", "x > bool 5"),
        ("sum(x > 5)", "sum(x > 5)"),
        (
            "x * on (pod) group_left () (info_metric == 1)",
            "x * on (pod) group_left () (info_metric == 1)",
        ),
        ("(x > 5) or vector(0)", "(x > 5) or vector(0)"),
        ("absent(x) or vector(0)", "absent(x) or vector(0)"),
        ("scalar(x)", "scalar(x)"),
        ("clamp_max(x, scalar(y > 5))", "clamp_max(x, scalar(y > 5))"),
        ("x offset 5m", "x offset 5m"),
        (
            "max_over_time(rate(x[1m])[5m:15s])",
            "max_over_time(rate(x[1m])[5m:15s])",
        ),
        ("{\"foo.bar\"}", "{__name__=\"foo.bar\"}"),
        ("{__name__=~\".+\"}", "{__name__=~\".+\"}"),
        ("topk(scalar(y), x)", "topk(scalar(y), x)"),
        ("x{a='b\"c'}", "x{a=\"b\\\"c\"}"),
        ("x{a=`1234567890s \\xff`}", "x{a=\"1234567890s \\\\xff\"}"),
        ("x{a=\"\\u00e9\"}", "x{a=\"é\"}"),
        ("x1234567890s", "x1234567890s"),
        (
            "offset_seconds:inf + offsetnan",
            "offset_seconds:inf + offsetnan",
        ),
        ("x offset 300", "x offset 5m"),
        ("clamp(x, 0, Inf)", "clamp(x, 0, Inf)"),
        ("SUM BY (a) (x)", "sum by (a) (x)"),
        ("sum by () (x)", "sum(x)"),
        ("-x ^ 2", "-x ^ 2"),
        ("5m + up", "300 + up"),
        (
            "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))",
            "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))",
        ),
    ] {
        let query = query(text, None);
        assert_eq!(query.as_ref().map(Query::as_str), Ok(print), "{text}");
        // what is printed is a signal itself, and prints the same
        let again = super::query(print, None);
        assert_eq!(again.as_ref().map(Query::as_str), Ok(print), "{print}");
    }
}

#[test]
fn queries_that_are_no_signals_are_refused_with_the_reason() {
    let deep = format!("{}x{}", "(".repeat(511), ")".repeat(512));
    let long = format!("x{{a=\"{}\"}}", "é".repeat(1020));
    for (text, reason) in [
        // empty while all is well
        ("x > 5", "filters with `>`"),
        ("(x > 5)", "filters with `>`"),
        ("-(x != 5)", "filters with `!=`"),
        ("(x > 5) * 2", "filters with `>`"),
        ("100 * (x > 5)", "filters with `>`"),
        ("abs(x >= 5)", "filters with `>=`"),
        ("max_over_time((x > 5)[5m:15s])", "filters with `>`"),
        ("(x > 5) or (y > 5)", "filters with `>`"),
        ("vector(scalar(x > 5))", "filters with `>`"),
        ("1 - absent(x)", "is absent(..)"),
        ("a and b", "filters with `and`"),
        ("a unless b", "filters with `unless`"),
        ("absent(x)", "is absent(..)"),
        ("sum(absent(x))", "is absent(..)"),
        ("absent_over_time(x[5m])", "is absent_over_time(..)"),
        // no number, no series
        ("x[5m]", "gives a range"),
        ("x[5m:]", "gives a range"),
        ("\"abc\"", "gives a string"),
        ("vector(1)", "reads no series"),
        ("time()", "reads no series"),
        ("count_over_time(vector(1)[1000d:1s])", "reads no series"),
        ("{}", "every series"),
        ("{a=~\".*\"}", "every series"),
        // another time than now
        ("x @ 1700000000", "`@`"),
        ("x @ start()", "`@`"),
        ("rate(x[5m] @ end())", "`@`"),
        ("x offset -5m", "negative offset"),
        ("max_over_time(x[5m:15s] offset -1m)", "negative offset"),
        // another dialect, or more than ours
        ("info(x)", "info()"),
        ("sum(info(x))", "info()"),
        ("x{a=\"b\" or c=\"d\"}", "`or` inside matchers"),
        ("rate(x[$__rate_interval])", "Grafana variable"),
        ("rate(x[1m*2])", "calculated durations"),
        ("x offset (5m+1m)", "calculated durations"),
        ("rate(x[step()])", "calculated durations"),
        ("rate(x[1m] smoothed)", "smoothed"),
        ("rate(x[1m] anchored)", "anchored"),
        ("x * 1_000", "underscores"),
        ("x{a=~\"\\\\Qa.b\\\\E\"}", "\\Q..\\E"),
        ("WITH (x = up) x", "MetricsQL"),
        ("up default 0", "MetricsQL"),
        ("", "is empty"),
        ("up;up", "cannot be parsed"),
        ("up up", "cannot be parsed"),
        ("rate(x)", "cannot be parsed"),
        ("nosuch(x)", "cannot be parsed"),
        // what would be printed as something else
        ("x{a=\"\\xff\"}", "escape \\xf"),
        ("x{a='\\377'}", "escape \\37"),
        ("x{a=\"\\xc3\\xa9\"}", "escape \\xc"),
        ("rate(x[99999999999s1ms])", "out of range"),
        ("x * 1e400", "out of range"),
        ("x * 1e+400", "out of range"),
        ("rate(x[0.0001])", "whole milliseconds"),
        ("rate(x[1.0005])", "whole milliseconds"),
        ("a / ignoring () group_left () b", "ignoring ()"),
        // too much
        ("rate(x[1e30])", "out of"),
        ("x offset 1e30", "out of"),
        ("x OFFSET - 1e+30", "out of"),
        ("max_over_time(x[5m:1e30])", "out of"),
        ("x offset NaN", "out of"),
        (deep.as_str(), "cannot be parsed"),
        (long.as_str(), "longer than 1024 characters"),
    ] {
        let message = query(text, None).expect_err(text);
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn the_deepest_text_within_the_bound_does_not_end_the_process() {
    for text in [
        format!("{}x", "-".repeat(1023)),
        format!("{}x{}", "(".repeat(511), ")".repeat(511)),
        format!("{}x", "1^".repeat(511)),
        format!("{}x{}", "abs(".repeat(204), ")".repeat(204)),
        format!("x{}", "[1m:]".repeat(204)),
    ] {
        // a worker thread's stack
        let stack = std::thread::Builder::new().stack_size(2 << 20);
        let checked = stack
            .spawn(move || query(&text, None).is_ok())
            .map(std::thread::JoinHandle::join);
        assert!(checked.is_ok_and(|joined| joined.is_ok()));
    }
}

#[test]
fn what_is_seldom_meant_is_noted() {
    for (text, notes) in [
        ("sum(rate(x[5m])) or vector(0)", 1),
        ("sum(x or vector(0)) + (y or vector(1))", 2),
        ("count(x > 5)", 1),
        ("sum(x > bool 5)", 0),
        ("x or y", 0),
        ("does not parse", 0),
    ] {
        assert_eq!(
            super::notes(text).len(),
            notes,
            "{text}: {:?}",
            super::notes(text)
        );
    }
}
