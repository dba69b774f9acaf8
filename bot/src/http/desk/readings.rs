//! What the desk shows of the bot's inner state: gauges, read from what Prometheus is given, so that
//! desk and dashboards never disagree.

use std::collections::BTreeMap;

use serde::Serialize;

/// Families that a moderator can make something of, by the beginning of their name.
const SHOWN: [&str; 7] = [
    "bot_queue_",
    "bot_dependency_",
    "bot_key_",
    "bot_quota_",
    "bot_token_quota_",
    "bot_reminders_",
    "bot_store_up",
];

/// One gauge.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Reading {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Of an exposition.
pub(super) fn of(text: &str) -> Vec<Reading> {
    let mut shown = false;
    let mut readings = Vec::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let gauge = family.ends_with(" gauge");
            shown = gauge && SHOWN.iter().any(|prefix| family.starts_with(prefix));
        } else if shown && !line.starts_with('#') {
            readings.extend(reading(line));
        }
    }
    // the exposition is in no order
    readings.sort_by(|a: &Reading, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
    readings
}

/// Label values are our own words: none of them holds a quote, a comma or a brace.
fn reading(line: &str) -> Option<Reading> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let labels = labels.split(',').filter_map(|label| {
        let (key, value) = label.split_once('=')?;
        Some((key.to_owned(), value.trim_matches('"').to_owned()))
    });
    Some(Reading {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().ok().filter(|value: &f64| value.is_finite())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_that_mean_something_to_a_moderator_are_read() {
        let text = "# HELP bot_queue_depth Jobs.\n# TYPE bot_queue_depth gauge\n\
                    bot_queue_depth{queue=\"critical\"} 3\n# TYPE bot_flags_level gauge\n\
                    bot_flags_level 2\n# TYPE bot_ai_tokens counter\nbot_ai_tokens_total 5\n\
                    # TYPE bot_quota_left gauge\nbot_quota_left{key=\"0\",per=\"hour\"} 12.5\n# EOF\n";
        let labels = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|&(key, value)| (key.to_owned(), value.to_owned()));
            owned.collect()
        };
        let expected = [
            ("bot_queue_depth", labels(&[("queue", "critical")]), 3.0),
            (
                "bot_quota_left",
                labels(&[("key", "0"), ("per", "hour")]),
                12.5,
            ),
        ];
        let expected = expected.map(|(name, labels, value)| Reading {
            name: name.to_owned(),
            labels,
            value,
        });
        assert_eq!(of(text), expected);
    }
}
