//! Random `PromQL` of every construct that a signal may use, over the metrics of [`recorded`], with
//! what tempts one to leave one's namespace.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;

/// When the recorded samples begin, in Unix seconds; they are 15 s apart for 20 minutes.
pub const START: i64 = 1_700_000_000;
const SCRAPES: i64 = 81;

/// A word that only the other tenant's series bear, and no query.
pub const HIDDEN: &str = "hidden";

/// Samples of two tenants, as `OpenMetrics` text: `bots` has the same in every variant, `rival`
/// others, and more series with each.
pub fn recorded(variant: u8) -> String {
    let variant = i64::from(variant);
    let mut text = String::new();
    for (metric, kind, labels) in FAMILIES {
        let sample = match kind {
            "counter" => format!("{metric}_total"),
            "histogram" => format!("{metric}_bucket"),
            _ => metric.to_owned(),
        };
        let _ = writeln!(text, "# TYPE {metric} {kind}"); // a String takes everything
        for (tenant, salt, pods) in [("bots", 0, 3), ("rival", 1 + variant, 3 + variant)] {
            let secret = if tenant == "bots" { "pod" } else { HIDDEN };
            for pod in 0..pods {
                for (n, label) in labels.iter().enumerate() {
                    let seed = i64::try_from(n).unwrap_or_default() + 7 * pod + 31 * salt;
                    let series = format!(
                        "{sample}{{namespace=\"{tenant}\",pod=\"{secret}-{pod}\",{label}}}"
                    );
                    samples(&mut text, &series, kind, seed);
                }
            }
        }
    }
    text + "# EOF\n"
}

/// A metric's base name, its type, and the labels that tell its series apart besides the pod.
const FAMILIES: [(&str, &str, &[&str]); 5] = [
    ("g", "gauge", &["a=\"1\"", "a=\"2\""]),
    ("d", "gauge", &["a=\"1\""]),
    ("c", "counter", &["outcome=\"ok\"", "outcome=\"error\""]),
    (
        "h",
        "histogram",
        &["le=\"0.5\"", "le=\"2.5\"", "le=\"+Inf\""],
    ),
    ("build", "gauge", &["version=\"1\""]),
];

fn samples(text: &mut String, series: &str, kind: &str, seed: i64) {
    let mut total = 0;
    for n in 0..SCRAPES {
        // no two series agree on any sample, so that nothing is a tie
        let step = (seed * 37 + n * 11) % 23 + seed + 1;
        total += step;
        let value = match kind {
            "gauge" => step * 1000 + seed,
            _ => total,
        };
        let _ = writeln!(text, "{series} {value} {}", START + 15 * n);
    }
}

/// A query that gives numbers, most of which are signals.
pub fn query() -> impl Strategy<Value = String> {
    vector(3)
}

fn label() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "a",
            "pod",
            "namespace",
            "outcome",
            "version",
            "le",
            "nosuch",
        ][..],
    )
}

fn matcher() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&["a=\"1\"", "a!=\"2\"", "a=~\"1|2\"", "outcome=\"ok\"", "pod=~\".*-[01]\"", "le=\"+Inf\"", "pod!=\"pod-2\"", "nosuch=\"\""][..]),
        1 => select(&["namespace=\"bots\"", "namespace=~\".*\"", "namespace=~\"bots|rival\"", "namespace!=\"rival\"", "\"namespace\"=~\".+\"", "namespace!=\"\""][..]),
    ]
    .prop_map(str::to_owned)
}

fn selector() -> impl Strategy<Value = String> {
    let names = ["g", "d", "c_total", "h_bucket", "build"];
    let any = [
        "{__name__=~\"g|d\"}",
        "{\"g\"}",
        "{namespace=~\".+\",__name__=\"d\"}",
    ];
    let named = (
        select(names.to_vec()),
        prop::collection::vec(matcher(), 0..3),
    )
        .prop_map(|(name, matchers)| match matchers.as_slice() {
            [] => name.to_owned(),
            some => format!("{name}{{{}}}", some.join(",")),
        });
    prop_oneof![8 => named, 1 => select(any.to_vec()).prop_map(str::to_owned)]
}

fn offset() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" offset 1m"), 1 => Just(" offset 90s")]
}

fn range(depth: u32) -> BoxedStrategy<String> {
    let windows = select(&["1m", "2m", "5m"][..]);
    let plain = (selector(), windows.clone(), offset())
        .prop_map(|(selector, window, offset)| format!("{selector}[{window}]{offset}"));
    if depth == 0 {
        return plain.boxed();
    }
    let sub = (vector(depth - 1), windows, offset())
        .prop_map(|(vector, window, offset)| format!("({vector})[{window}:30s]{offset}"));
    prop_oneof![3 => plain, 1 => sub].boxed()
}

fn scalar(depth: u32) -> BoxedStrategy<String> {
    let number = select(&["0", "0.5", "1", "2", "1e3", "5m", "0x1F"][..]).prop_map(str::to_owned);
    if depth == 0 {
        return number.boxed();
    }
    let read = vector(depth - 1).prop_map(|vector| format!("scalar({vector})"));
    let one = selector().prop_map(|selector| format!("scalar(sum({selector}))"));
    prop_oneof![3 => number, 1 => read, 1 => one].boxed()
}

fn grouping() -> impl Strategy<Value = String> {
    let labels = || prop::collection::vec(label(), 0..3).prop_map(|labels| labels.join(","));
    prop_oneof![
        2 => Just(String::new()),
        2 => labels().prop_map(|labels| format!(" by ({labels}) ")),
        1 => labels().prop_map(|labels| format!(" without ({labels}) ")),
    ]
}

fn matching() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        2 => label().prop_map(|label| format!(" on ({label}) ")),
        1 => label().prop_map(|label| format!(" ignoring ({label}) ")),
    ]
}

fn vector(depth: u32) -> BoxedStrategy<String> {
    let plain = (selector(), offset()).prop_map(|(selector, offset)| selector + offset);
    if depth == 0 {
        return plain.boxed();
    }
    let inner = || vector(depth - 1);
    let aggregation = select(
        &[
            "sum", "avg", "max", "min", "count", "stddev", "stdvar", "group",
        ][..],
    );
    let over = select(
        &[
            "rate",
            "increase",
            "delta",
            "irate",
            "sum_over_time",
            "avg_over_time",
            "max_over_time",
            "min_over_time",
            "count_over_time",
            "last_over_time",
            "stddev_over_time",
            "changes",
            "resets",
            "deriv",
            "present_over_time",
        ][..],
    );
    let each = select(
        &[
            "abs",
            "ceil",
            "sgn",
            "sqrt",
            "ln",
            "-",
            "",
            "timestamp",
            "vector(scalar",
        ][..],
    );
    let arithmetic = select(&["+", "-", "*", "/", "%", "^", "atan2", "> bool", "==", "<"][..]);
    let set = select(&["or", "and", "unless"][..]);
    let joining = prop_oneof![
        4 => matching(),
        1 => Just(" on (namespace,pod) group_left (version) ".to_owned()),
    ];
    let forged = select(&[("namespace", "rival"), ("namespace", "$1"), ("pod", "x")][..]);
    prop_oneof![
        2 => plain,
        4 => (aggregation, grouping(), inner()).prop_map(|(of, by, v)| format!("{of}{by}({v})")),
        4 => (over, range(depth - 1)).prop_map(|(over, range)| format!("{over}({range})")),
        2 => (each, inner()).prop_map(|(each, v)| {
            let close = ")".repeat(each.matches('(').count() + 1);
            format!("{each}({v}{close}")
        }),
        3 => (inner(), arithmetic, joining, inner())
            .prop_map(|(l, op, on, r)| format!("({l}) {op}{on} ({r})")),
        1 => (inner(), set, matching(), inner())
            .prop_map(|(l, op, on, r)| format!("({l}) {op}{on} ({r})")),
        2 => (inner(), select(&["+", "*", "> bool", "-"][..]), scalar(depth - 1))
            .prop_map(|(v, op, s)| format!("({v}) {op} {s}")),
        1 => (scalar(depth - 1), grouping(), inner())
            .prop_map(|(q, by, v)| format!("quantile{by}({q}, {v})")),
        1 => (scalar(depth - 1), range(depth - 1))
            .prop_map(|(q, range)| format!("quantile_over_time({q}, {range})")),
        1 => (inner(), scalar(depth - 1), scalar(depth - 1))
            .prop_map(|(v, low, high)| format!("clamp({v}, {low}, {high})")),
        // of series that never agree: ties are broken at random
        1 => select(&["topk(2, g)", "bottomk(scalar(count(d)), g{a=\"1\"})", "topk by (namespace) (1, d)"][..])
            .prop_map(str::to_owned),
        1 => (label(), inner()).prop_map(|(label, v)| format!("count_values(\"{label}\", {v})")),
        1 => (forged, inner()).prop_map(|((label, with), v)| {
            format!("label_replace({v}, \"{label}\", \"{with}\", \"pod\", \"(.*)\")")
        }),
        1 => Just("histogram_quantile(0.9, sum by (le) (rate(h_bucket[2m])))".to_owned()),
        1 => inner().prop_map(|v| format!("sum(absent({v})) or vector(0)")),
    ]
    .boxed()
}

#[cfg(test)]
mod tests;
