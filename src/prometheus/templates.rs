//! The typed signals as `PromQL`. Each template is parsed as it stands here; its selectors are then
//! replaced in the tree, so nothing that a user wrote is ever part of a text that is parsed.

use std::convert::Infallible;

use promql_parser::label::{MatchOp, Matcher, Matchers};
use promql_parser::parser::{self, Expr, NumberLiteral, VectorSelector};

use super::promql;
use super::query::Query;
use super::signals::{Count, SignalQueries};
use super::tenancy::Tenant;
use super::walk::walk;
use crate::time::Span;

// 0 where there is traffic and no error series, which a plain ratio reads as empty
const ERROR_RATIO: &str = "(sum(rate(errors[1m])) or sum(rate(all[1m])) * 0) / sum(rate(all[1m]))";
const COUNT: &str = "sum(increase(all[1m]))";
const SAMPLES: &str = "max(count_over_time(all[1m]))";
const ERRORS_EXIST: &str = "max(count_over_time(errors[1m]))";
// classic buckets first, a native histogram otherwise
const LATENCY: &str = "histogram_quantile(0.5, sum by (le) (rate(buckets[1m]))) \
    or histogram_quantile(0.5, sum(rate(native[1m])))";
const LATENCY_COUNT: &str =
    "sum(increase(infinite[1m])) or histogram_count(sum(increase(native[1m])))";
const LATENCY_SAMPLES: &str =
    "max(count_over_time(infinite[1m])) or max(count_over_time(native[1m]))";
// all observations in +Inf: the quantile is then the highest finite bound
const TOP: &str =
    "histogram_quantile(0.5, sum by (le) (finite) * 0 or sum by (le) (infinite) * 0 + 1)";

/// A latency signal, parsed.
pub(super) struct Latency<'a> {
    pub(super) histogram: &'a str,
    pub(super) quantile: f64,
    pub(super) matchers: &'a [Matcher],
    pub(super) window: Span,
}

/// The queries of a latency quantile.
pub(super) fn latency(
    name: String,
    of: &Latency<'_>,
    min_requests: u32,
    tenant: Option<&Tenant>,
) -> Result<SignalQueries, String> {
    let bucket = format!("{}_bucket", of.histogram);
    let le = |op, value| {
        let bound = Matcher::new(op, "le", value);
        [of.matchers, &[bound]].concat()
    };
    let selectors = [
        ("buckets", selector(&bucket, of.matchers)?),
        ("native", selector(of.histogram, of.matchers)?),
        ("infinite", selector(&bucket, &le(MatchOp::Equal, "+Inf"))?),
        ("finite", selector(&bucket, &le(MatchOp::NotEqual, "+Inf"))?),
    ];
    let fill = |template, quantile| fill(template, &selectors, (of.window, quantile), tenant);
    Ok(SignalQueries {
        name,
        value: fill(LATENCY, Some(of.quantile))?,
        count: Some(Count {
            query: fill(LATENCY_COUNT, None)?,
            at_least: f64::from(min_requests),
        }),
        top: Some(fill(TOP, None)?),
        samples: Some(fill(LATENCY_SAMPLES, None)?),
        errors_exist: None,
        window: Some(of.window),
    })
}

/// The queries of an error ratio; `matchers` are those of all requests and those of the errors.
pub(super) fn error_ratio(
    name: String,
    counter: &str,
    (matchers, errors): (&[Matcher], &[Matcher]),
    (window, min_requests): (Span, u32),
    tenant: Option<&Tenant>,
) -> Result<SignalQueries, String> {
    let selectors = [
        ("all", selector(counter, matchers)?),
        ("errors", selector(counter, &[matchers, errors].concat())?),
    ];
    let fill = |template| fill(template, &selectors, (window, None), tenant);
    Ok(SignalQueries {
        name,
        value: fill(ERROR_RATIO)?,
        count: Some(Count {
            query: fill(COUNT)?,
            at_least: f64::from(min_requests),
        }),
        top: None,
        samples: Some(fill(SAMPLES)?),
        errors_exist: Some(fill(ERRORS_EXIST)?),
        window: Some(window),
    })
}

/// A query without its half for native histograms, where it has one: for servers that do not know their
/// functions, which then hold none either.
#[cfg(feature = "operator")]
pub(super) fn classic(query: &Query) -> Option<Query> {
    // not `parse`: with its matchers in, and a tenant's, a template is longer than what a user may write
    let Ok(Expr::Binary(or)) = promql::read(query.as_str()) else {
        return None;
    };
    let native = or
        .rhs
        .to_string()
        .starts_with("histogram_count(sum(increase(");
    let buckets = or.lhs.to_string();
    // what a user wrote with these functions is not ours to halve
    let ours = buckets.starts_with("sum(increase(") && buckets.contains("le=\"+Inf\"");
    let halves = or.op.id() == parser::token::T_LOR && native && ours;
    // what is bound to a tenant is so in each part
    halves.then(|| promql::print(*or.lhs, None).ok()).flatten()
}

/// The selector of a metric. A name that `PromQL` cannot take bare becomes a matcher.
fn selector(metric: &str, matchers: &[Matcher]) -> Result<VectorSelector, String> {
    if metric.is_empty() || metric.chars().any(char::is_control) {
        return Err(format!("is {metric:?}, which no metric is called"));
    }
    let legacy = metric.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
        && metric
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    // a keyword such as `sum` or `inf` is no name either
    let bare = legacy
        && matches!(promql::read(metric), Ok(Expr::VectorSelector(v)) if v.name.as_deref() == Some(metric));
    let mut all = matchers.to_vec();
    if !bare {
        all.insert(0, Matcher::new(MatchOp::Equal, "__name__", metric));
    }
    let name = bare.then(|| metric.to_owned());
    Ok(VectorSelector::new(name, Matchers::new(all)))
}

/// A template with its selectors, ranges and (where given) numbers replaced.
fn fill(
    template: &str,
    selectors: &[(&str, VectorSelector)],
    (window, quantile): (Span, Option<f64>),
    tenant: Option<&Tenant>,
) -> Result<Query, String> {
    let mut expr = parser::parse(template)?;
    let replace = |placeholder: &mut VectorSelector| {
        let name = placeholder.name.as_deref().unwrap_or_default();
        if let Some((_, selector)) = selectors.iter().find(|(role, _)| *role == name) {
            *placeholder = selector.clone();
        }
    };
    let Ok(()) = walk::<Infallible>(&mut expr, &mut |node| {
        match node {
            Expr::VectorSelector(selector) => replace(selector),
            Expr::MatrixSelector(range) => {
                replace(&mut range.vs);
                range.range = window.to_duration();
            }
            Expr::NumberLiteral(number) => {
                *number = NumberLiteral::new(quantile.unwrap_or(number.val));
            }
            _ => {}
        }
        Ok(())
    });
    promql::print(expr, tenant)
}

#[cfg(all(test, feature = "operator"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_template_has_a_classic_form_however_long_its_matchers() {
        let long = Matcher::new(MatchOp::Equal, "path", &"x".repeat(1000));
        for matchers in [vec![], vec![long]] {
            let of = Latency {
                histogram: "latency_seconds",
                quantile: 0.5,
                matchers: &matchers,
                window: Span::from_secs(60),
            };
            let made = latency("p50".to_owned(), &of, 1, None).expect("queries");
            let count = made.count.expect("a count").query;
            let halved = classic(&count).expect("a classic form");
            assert!(!halved.as_str().contains("histogram_count"));
            assert!(halved.as_str().contains("latency_seconds_bucket"));
        }
        assert_eq!(classic(&Query::unchecked("a or histogram_count(b)")), None);
    }
}
