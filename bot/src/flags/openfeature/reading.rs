//! What an evaluated flag means to the bot.

use brownout::flags::Value;
use brownout::policy::State;
use open_feature::{EvaluationDetails, FlagMetadataValue, Value as Evaluated};

use crate::features::{FULL_BUDGET, Feature};

/// The types that flags come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Number,
    Text,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Boolean, Self::Integer, Self::Number, Self::Text];
}

/// One flag, evaluated.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) value: Value,
    pub(super) level: usize,
}

/// The variant's name says the state, where it is one of ours; otherwise the value has to.
pub(super) fn read(
    feature: Feature,
    kind: Kind,
    details: &EvaluationDetails<Evaluated>,
) -> Option<Answer> {
    let value = match &details.value {
        Evaluated::Bool(on) => Value::Boolean(*on),
        Evaluated::Int(n) => Value::Integer(*n),
        Evaluated::Float(n) => Value::Integer(whole(*n)?),
        Evaluated::String(text) => Value::Text(text.clone()),
        Evaluated::Array(_) | Evaluated::Struct(_) => return None,
    };
    let variant = details.variant.as_deref().and_then(state_of_word);
    let state = variant.or_else(|| state_of_value(feature, &value))?;
    let level = match details.flag_metadata.values.get("level") {
        Some(FlagMetadataValue::Int(level)) => usize::try_from(*level).ok(),
        Some(FlagMetadataValue::Float(level)) => {
            whole(*level).and_then(|level| usize::try_from(level).ok())
        }
        _ => None,
    };
    Some(Answer {
        kind,
        state,
        value,
        level: level.unwrap_or(0),
    })
}

/// A number as JSON has it, if it is a whole one.
#[allow(clippy::cast_possible_truncation)] // within 32 bits
fn whole(number: f64) -> Option<i64> {
    let small = number.abs() <= f64::from(i32::MAX);
    (small && number.fract() == 0.0).then_some(number as i64)
}

fn state_of_word(word: &str) -> Option<State> {
    match word.to_ascii_lowercase().as_str() {
        "enabled" => Some(State::Enabled),
        "reduced" => Some(State::Reduced),
        "disabled" => Some(State::Disabled),
        _ => None,
    }
}

fn state_of_value(feature: Feature, value: &Value) -> Option<State> {
    let less = |n: i64| feature == Feature::AiChat && n < i64::from(FULL_BUDGET);
    match value {
        Value::Boolean(on) if !on => Some(State::Disabled),
        Value::Integer(n) if *n <= 0 => Some(State::Disabled),
        Value::Integer(n) if less(*n) => Some(State::Reduced),
        Value::Boolean(_) | Value::Integer(_) => Some(State::Enabled),
        Value::Text(word) => state_of_word(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(value: impl Into<Evaluated>, variant: Option<&str>) -> EvaluationDetails<Evaluated> {
        EvaluationDetails {
            flag_key: String::new(),
            value: value.into(),
            reason: None,
            variant: variant.map(str::to_owned),
            flag_metadata: open_feature::FlagMetadata::default().with_value("level", 2),
        }
    }

    #[test]
    fn the_variant_says_the_state_or_else_the_value() {
        use State::{Disabled, Enabled, Reduced};
        let rows: Vec<(EvaluationDetails<Evaluated>, Option<State>)> = vec![
            (details(true, None), Some(Enabled)),
            (details(false, Some("off")), Some(Disabled)),
            (details(96, Some("reduced")), Some(Reduced)),
            (details(96, None), Some(Reduced)),
            (details(512, None), Some(Enabled)),
            (details(0, None), Some(Disabled)),
            (details(96.0, None), Some(Reduced)),
            (details("Reduced", None), Some(Reduced)),
            (details("short", Some("reduced")), Some(Reduced)),
            (details("sideways", None), None),
            (details(0.5, Some("enabled")), None),
            (details(f64::NAN, None), None),
        ];
        for (details, expected) in rows {
            let answer = read(Feature::AiChat, Kind::Text, &details);
            let state = answer.as_ref().map(|answer| answer.state);
            assert_eq!(state, expected, "{details:?}");
            assert!(answer.is_none_or(|answer| answer.level == 2));
        }
    }
}
