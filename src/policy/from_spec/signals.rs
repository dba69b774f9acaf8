//! `spec.signals`.

use super::features::index_of;
use super::findings::Findings;
use crate::api::{BotDegradationPolicySpec, DefaultsSpec, ErrorRatioSpec, LatencySpec, SignalSpec};
use crate::policy::{Feature, Measure, MinSamples, Signal, Tier, parse_decimal};

const WINDOW: (&str, &str) = ("5s", "24h");

pub(super) fn signals(
    spec: &BotDegradationPolicySpec,
    features: &[Feature],
    found: &mut Findings,
) -> Vec<Signal> {
    check_defaults(&spec.defaults, found);
    found.count("spec.signals", spec.signals.len(), 1, 16);
    let mut signals: Vec<Signal> = Vec::new();
    for (i, signal) in spec.signals.iter().enumerate() {
        let at = format!("spec.signals[{i}]");
        found.name(&format!("{at}.name"), &signal.name);
        let twice = signals.iter().any(|s| s.name == signal.name);
        found.require(
            !twice,
            &format!("{at}.name"),
            format!(
                "{} is defined twice; give each signal a name of its own",
                signal.name
            ),
        );
        signals.push(Signal {
            name: signal.name.clone(),
            feature: measured_feature(&at, signal, features, found),
            low_traffic: signal.low_traffic,
            measure: measure(&at, signal, &spec.defaults, found),
        });
    }
    signals
}

fn check_defaults(defaults: &DefaultsSpec, found: &mut Findings) {
    if let Some(matchers) = &defaults.matchers {
        found.query("spec.defaults.matchers", matchers);
    }
    found.duration("spec.defaults.window", &defaults.window, WINDOW);
    min_requests("spec.defaults.minRequests", defaults.min_requests, found);
}

fn measured_feature(
    at: &str,
    signal: &SignalSpec,
    features: &[Feature],
    found: &mut Findings,
) -> Option<usize> {
    let name = signal.feature.as_deref()?;
    let field = format!("{at}.feature");
    let Some(index) = index_of(features, name) else {
        found.add(
            field,
            format!("{name} is no feature; write the name of one of spec.features or leave it out"),
        );
        return None;
    };
    found.require(
        features[index].tier != Tier::Critical,
        &field,
        format!(
            "{name} is Critical and never disabled, so feature says nothing here; leave it out"
        ),
    );
    Some(index)
}

fn measure(
    at: &str,
    signal: &SignalSpec,
    defaults: &DefaultsSpec,
    found: &mut Findings,
) -> Measure {
    let kinds = [
        signal.latency.is_some(),
        signal.error_ratio.is_some(),
        signal.query.is_some(),
    ];
    found.require(
        kinds.into_iter().filter(|&kind| kind).count() == 1,
        at,
        "set exactly one of latency, errorRatio, query",
    );
    found.require(
        signal.min_samples.is_none() || signal.query.is_some(),
        &format!("{at}.minSamples"),
        "minSamples belongs to a query; with latency or errorRatio write minRequests inside it instead",
    );
    // all that is there is checked, though only one of them can stand
    let latency = signal
        .latency
        .as_ref()
        .map(|l| latency(at, l, defaults, found));
    let errors = signal
        .error_ratio
        .as_ref()
        .map(|e| error_ratio(at, e, defaults, found));
    let query = query(at, signal, found);
    latency.or(errors).unwrap_or(query)
}

fn latency(at: &str, spec: &LatencySpec, defaults: &DefaultsSpec, found: &mut Findings) -> Measure {
    let at = format!("{at}.latency");
    let histogram = format!("{at}.histogram");
    found.metric(&histogram, &spec.histogram);
    found.require(
        !spec.histogram.ends_with("_bucket"),
        &histogram,
        "must be the base name, without _bucket: Brownout adds _bucket and _count itself",
    );
    let quantile = parse_decimal(&spec.quantile).filter(|&q| 0.0 < q && q < 1.0);
    found.require(
        quantile.is_some() && spec.quantile.len() <= 11,
        &format!("{at}.quantile"),
        "must be a decimal strictly between 0 and 1 in quotes, such as \"0.95\"",
    );
    Measure::Latency {
        histogram: spec.histogram.clone(),
        quantile: spec.quantile.clone(),
        matchers: matchers(&at, spec.matchers.as_deref(), defaults, found),
        window: window(&at, spec.window.as_deref(), defaults, found),
        min_requests: requests(&at, spec.min_requests, defaults, found),
    }
}

fn error_ratio(
    at: &str,
    spec: &ErrorRatioSpec,
    defaults: &DefaultsSpec,
    found: &mut Findings,
) -> Measure {
    let at = format!("{at}.errorRatio");
    found.metric(&format!("{at}.counter"), &spec.counter);
    found.query(&format!("{at}.errors"), &spec.errors);
    Measure::ErrorRatio {
        counter: spec.counter.clone(),
        errors: spec.errors.clone(),
        matchers: matchers(&at, spec.matchers.as_deref(), defaults, found),
        window: window(&at, spec.window.as_deref(), defaults, found),
        min_requests: requests(&at, spec.min_requests, defaults, found),
    }
}

fn query(at: &str, signal: &SignalSpec, found: &mut Findings) -> Measure {
    if let Some(query) = &signal.query {
        found.query(&format!("{at}.query"), query);
    }
    let min_samples = signal.min_samples.as_ref().map(|samples| {
        found.query(&format!("{at}.minSamples.query"), &samples.query);
        let field = format!("{at}.minSamples.atLeast");
        let at_least = found.decimal(&field, &samples.at_least);
        found.require(
            !samples.at_least.starts_with('-'),
            &field,
            "must not be negative",
        );
        MinSamples {
            query: samples.query.clone(),
            at_least,
        }
    });
    Measure::Query {
        query: signal.query.clone().unwrap_or_default(),
        min_samples,
    }
}

/// The policy's default matchers, then the signal's own.
fn matchers(
    at: &str,
    own: Option<&str>,
    defaults: &DefaultsSpec,
    found: &mut Findings,
) -> Vec<String> {
    if let Some(own) = own {
        found.query(&format!("{at}.matchers"), own);
    }
    let all = defaults.matchers.as_deref().into_iter().chain(own);
    all.map(str::to_owned).collect()
}

fn window(
    at: &str,
    own: Option<&str>,
    defaults: &DefaultsSpec,
    found: &mut Findings,
) -> crate::time::Span {
    match own {
        Some(own) => found.duration(&format!("{at}.window"), own, WINDOW),
        // a default that cannot be read is reported once, where it is written
        None => crate::policy::parse_duration(&defaults.window).unwrap_or_default(),
    }
}

fn requests(at: &str, own: Option<i32>, defaults: &DefaultsSpec, found: &mut Findings) -> u32 {
    match own {
        Some(own) => min_requests(&format!("{at}.minRequests"), own, found),
        None => u32::try_from(defaults.min_requests).unwrap_or_default(),
    }
}

fn min_requests(field: &str, number: i32, found: &mut Findings) -> u32 {
    found.require(
        (1..=1_000_000_000).contains(&number),
        field,
        format!("must be from 1 to 1000000000, not {number}"),
    );
    u32::try_from(number).unwrap_or_default()
}
