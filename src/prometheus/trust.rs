//! Which annotations of an answer take its number's credit away.

use crate::decide::Unknown;

/// What an annotation says of the number beside it. Its field (`warnings` or `infos`) does not
/// count, since older engines deliver both under `warnings`: the text's prefix does.
///
/// `None`: the number can be trusted. `Some`: it cannot, with the class of the reading.
pub fn distrust(annotation: &str) -> Option<Unknown> {
    if let Some(warning) = annotation.strip_prefix("PromQL warning: ") {
        // the number is right, only its place in a list is not
        let harmless = warning.starts_with("sort is ineffective for range queries");
        return (!harmless).then_some(Unknown::Warning);
    }
    if let Some(info) = annotation.strip_prefix("PromQL info: ") {
        // part of the input was left out of the computation
        let partly = info.starts_with("ignored histogram")
            || info.starts_with("incompatible sample types encountered");
        return partly.then_some(Unknown::Warning);
    }
    if annotation == "results truncated due to limit" {
        return Some(Unknown::MultipleSeries);
    }
    match omitted(annotation) {
        Some("warning") => Some(Unknown::Warning),
        Some("info") => None,
        // no text of the engine: a backend says that data is missing
        _ => Some(Unknown::Partial),
    }
}

/// The kind in "3 more info annotations omitted", which stands for those beyond ten.
fn omitted(annotation: &str) -> Option<&str> {
    let (count, kind) = annotation
        .strip_suffix(" annotations omitted")?
        .split_once(" more ")?;
    count.parse::<u64>().is_ok().then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_judged_by_prefix() {
        use Unknown::{MultipleSeries, Partial, Warning};
        for (text, verdict) in [
            (
                "PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)",
                Some(Warning),
            ),
            (
                "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"\" for metric name \"x\" (1:5)",
                Some(Warning),
            ),
            (
                "PromQL warning: encountered a mix of histograms and floats for metric name \"x\" (1:5)",
                Some(Warning),
            ),
            (
                "PromQL warning: encountered a mix of classic and native histograms",
                Some(Warning),
            ),
            (
                "PromQL warning: this native histogram metric is not a gauge: \"x\"",
                Some(Warning),
            ),
            (
                "PromQL warning: sort is ineffective for range queries since results always have a fixed output ordering",
                None,
            ),
            ("3 more warning annotations omitted", Some(Warning)),
            ("12 more info annotations omitted", None),
            (
                "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see ..)",
                None,
            ),
            (
                "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"x\"",
                None,
            ),
            (
                "PromQL info: ignored histogram in max aggregation (1:1)",
                Some(Warning),
            ),
            (
                "PromQL info: incompatible sample types encountered for binary operator \">\"",
                Some(Warning),
            ),
            ("results truncated due to limit", Some(MultipleSeries)),
            (
                "remote_read: error sending request: connection refused",
                Some(Partial),
            ),
            ("Query result may contain partial data", Some(Partial)),
            ("many more info annotations omitted", Some(Partial)),
            ("", Some(Partial)),
        ] {
            assert_eq!(distrust(text), verdict, "{text}");
        }
    }
}
