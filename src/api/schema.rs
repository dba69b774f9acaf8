//! The schemas of scalars that users write as text. Each bears a pattern and a length, for tools that
//! read only the schema, and a rule whose message names the field and says what to write instead.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::policy::{LowTraffic, Mode, State, Tier, WorkloadKind};

/// A duration in Prometheus' notation, largest unit first.
pub(super) const DURATION: &str = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
/// A plain decimal: no exponent, no unit.
pub(super) const DECIMAL: &str = r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$";
/// A plain decimal that is not negative.
pub(super) const COUNT: &str = r"^[0-9]{1,12}(\.[0-9]{1,9})?$";
/// A decimal strictly between 0 and 1.
pub(super) const QUANTILE: &str = r"^0\.[0-9]*[1-9][0-9]*$";
/// The name of a signal or a level.
pub(super) const NAME: &str = "^[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?$";
/// The name of a feature: a `ConfigMap` key without dots.
pub(super) const FEATURE: &str = "^[-_A-Za-z0-9]+$";
/// The name of an object, such as a `ConfigMap` or a Deployment.
pub(super) const OBJECT: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// The name of a Prometheus metric.
pub(super) const METRIC: &str = "^[a-zA-Z_:][a-zA-Z0-9_:]*$";
/// Text that is not blank.
pub(super) const TEXT: &str = r"\S";
/// A percentage of replicas.
pub(super) const PERCENT: &str = "^[0-9]{1,4}%$";
/// 0% to 90%.
pub(super) const TOLERANCE: &str = "^([0-9]|[1-8][0-9]|90)%$";

/// The longest query, and the longest text of label matchers.
pub(super) const MAX_QUERY: usize = 1024;
/// The longest name of a signal, a feature, a level or a policy.
pub(super) const MAX_NAME: usize = 63;
/// The longest name of any other object.
pub(super) const MAX_OBJECT: usize = 253;
/// The largest whole number that every reader of JSON keeps exactly.
pub(super) const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Text of a pattern and at most so many characters; `message` says what to write.
pub(super) fn text(pattern: &str, most: usize, message: &str) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": most,
        "pattern": pattern,
        "x-kubernetes-validations": [{"rule": format!("self.matches(r'{pattern}')"), "message": message}],
    })
}

/// A duration between two bounds, both included.
pub(super) fn duration(field: &str, least: &str, most: &str, example: &str) -> Schema {
    let rule = format!(
        "self.matches(r'{DURATION}') && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    );
    let message = format!(
        "{field} must be a duration from {least} to {most}, largest unit first, such as {example}"
    );
    json_schema!({
        "type": "string",
        "minLength": 2,
        "maxLength": 16,
        "pattern": DURATION,
        "x-kubernetes-validations": [{"rule": rule, "message": message}],
    })
}

/// A threshold.
pub(super) fn decimal(field: &str) -> Schema {
    let message = format!(
        "{field} must be a plain decimal in quotes, without unit or exponent, such as \"0.05\" or \"200\""
    );
    text(DECIMAL, 23, &message)
}

/// The name of a signal, a level or such: `what` says of what.
pub(super) fn name(field: &str) -> Schema {
    let message = format!(
        "{field} may hold letters, digits, - and _, begins and ends with a letter or digit, and has at most 63 characters"
    );
    text(NAME, MAX_NAME, &message)
}

/// The name of a feature.
pub(super) fn feature(field: &str) -> Schema {
    let message = format!(
        "{field} is a ConfigMap key: write letters, digits, - and _, no dots, at most 63 characters"
    );
    text(FEATURE, MAX_NAME, &message)
}

/// The name of an object.
pub(super) fn object(field: &str) -> Schema {
    let message = format!(
        "{field} must be the name of an object: lower-case letters, digits, - and ., at most 253 characters"
    );
    text(OBJECT, MAX_OBJECT, &message)
}

/// The name of a metric.
pub(super) fn metric(field: &str) -> Schema {
    let message = format!(
        "{field} must be the bare name of a metric: letters, digits, _ and :, without selector or function"
    );
    text(METRIC, 200, &message)
}

/// Label matchers.
pub(super) fn matchers(field: &str) -> Schema {
    let message =
        format!("{field} must not be blank: write label matchers such as job=\"chatbotler\"");
    text(TEXT, MAX_QUERY, &message)
}

/// `PromQL`.
pub(super) fn query(field: &str) -> Schema {
    let message = format!("{field} must not be blank: write one PromQL expression");
    text(TEXT, MAX_QUERY, &message)
}

/// A whole number of replicas or a percentage.
pub(super) fn replicas(_: &mut SchemaGenerator) -> Schema {
    let rule =
        format!("type(self) == string ? self.matches(r'{PERCENT}') : (self >= 0 && self <= 10000)");
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "minimum": 0,
        "maximum": 10_000,
        "maxLength": 5,
        "pattern": PERCENT,
        "x-kubernetes-validations": [{
            "rule": rule,
            "message": "replicas must be a number from 0 to 10000, such as 3, or a percentage of the baseline in quotes, such as \"150%\"",
        }],
    })
}

/// An integer or a string of a feature's `values`.
pub(super) fn flag_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "minimum": -MAX_INTEGER,
        "maximum": MAX_INTEGER,
        "maxLength": 256,
    })
}

/// One of some words. The words are serde's: a test holds the two together.
fn words(words: &[&str]) -> Schema {
    json_schema!({"type": "string", "enum": json!(words)})
}

macro_rules! schema_of_words {
    ($($type:ty: $($variant:ident),+;)+) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                words(&[$(stringify!($variant)),+])
            }
        }
    )+};
}

schema_of_words! {
    Mode: Enforce, DryRun, Paused;
    LowTraffic: Clear, Hold;
    State: Enabled, Reduced, Disabled;
    Tier: Critical, Important, Luxury;
    WorkloadKind: Deployment, StatefulSet;
}

#[cfg(test)]
mod tests {
    use serde::{Serialize, de::DeserializeOwned};

    use super::*;

    fn reads_its_words<T: JsonSchema + Serialize + DeserializeOwned>() {
        let schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
        for word in schema["enum"].as_array().expect("an enum") {
            let value: T = serde_json::from_value(word.clone()).expect("a word that serde knows");
            assert_eq!(serde_json::to_value(value).expect("text"), *word);
        }
    }

    #[test]
    fn the_words_of_the_schema_are_the_words_of_serde() {
        reads_its_words::<Mode>();
        reads_its_words::<LowTraffic>();
        reads_its_words::<State>();
        reads_its_words::<Tier>();
        reads_its_words::<WorkloadKind>();
    }
}
