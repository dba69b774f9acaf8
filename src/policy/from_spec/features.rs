//! `spec.features`.

use super::findings::Findings;
use crate::api::{BotDegradationPolicySpec, FeatureValues, FlagValue};
use crate::policy::{Feature, Values};

/// The largest whole number that every reader of JSON keeps exactly.
const MAX_INTEGER: i64 = (1 << 53) - 1;

pub(super) fn features(spec: &BotDegradationPolicySpec, found: &mut Findings) -> Vec<Feature> {
    found.count("spec.features", spec.features.len(), 0, 128);
    let mut features: Vec<Feature> = Vec::new();
    for (i, feature) in spec.features.iter().enumerate() {
        let at = format!("spec.features[{i}]");
        found.feature(&format!("{at}.name"), &feature.name);
        found.require(
            index_of(&features, &feature.name).is_none(),
            &format!("{at}.name"),
            format!(
                "{} is defined twice; give each feature a name of its own",
                feature.name
            ),
        );
        let values = feature.values.as_ref();
        features.push(Feature {
            name: feature.name.clone(),
            tier: feature.tier,
            values: values.map_or(Values::Boolean, |v| read(&format!("{at}.values"), v, found)),
        });
    }
    features
}

/// The feature of that name.
pub(super) fn index_of(features: &[Feature], name: &str) -> Option<usize> {
    features.iter().position(|feature| feature.name == name)
}

fn read(at: &str, values: &FeatureValues, found: &mut Findings) -> Values {
    for (state, value) in [
        ("enabled", &values.enabled),
        ("reduced", &values.reduced),
        ("disabled", &values.disabled),
    ] {
        let fits = match value {
            FlagValue::Integer(n) => (-MAX_INTEGER..=MAX_INTEGER).contains(n),
            FlagValue::Text(text) => text.chars().count() <= 256,
        };
        found.require(
            fits,
            &format!("{at}.{state}"),
            format!("must be an integer from -{MAX_INTEGER} to {MAX_INTEGER}, or a string of at most 256 characters"),
        );
    }
    match (&values.enabled, &values.reduced, &values.disabled) {
        (
            FlagValue::Integer(enabled),
            FlagValue::Integer(reduced),
            FlagValue::Integer(disabled),
        ) => Values::Integers {
            enabled: *enabled,
            reduced: *reduced,
            disabled: *disabled,
        },
        (FlagValue::Text(enabled), FlagValue::Text(reduced), FlagValue::Text(disabled)) => {
            Values::Strings {
                enabled: enabled.clone(),
                reduced: reduced.clone(),
                disabled: disabled.clone(),
            }
        }
        _ => {
            found.add(at, "values must be three integers or three strings, not a mixture: write all three with quotes or all three without");
            Values::Boolean
        }
    }
}
