//! What goes back to the user.

use brownout::policy::State;
use serde::{Deserialize, Serialize};

use crate::features::Feature;
use crate::manners::answer;
use crate::metrics::Outcome;

/// An answer, whatever became of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) answer: String,
    /// The feature that answered, or that would have.
    pub(crate) feature: Feature,
    /// As in the metrics.
    pub(crate) outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) animation: Option<Animation>,
    /// What is less than usual about this answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) notice: Option<String>,
    /// In how many seconds to ask again, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) retry_after: Option<u64>,
}

/// How to celebrate an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Animation {
    pub(crate) kind: String,
    pub(crate) pieces: u32,
}

impl Reply {
    /// An answer as it was asked for, or a smaller one that says so. Whoever wrote it, it calls nobody.
    pub(crate) fn ok(
        answer: &str,
        feature: Feature,
        reduced: bool,
        animation: Option<Animation>,
    ) -> Self {
        Self {
            answer: answer::fit(answer, answer::MOST_UNITS),
            feature,
            outcome: Outcome::Ok,
            animation,
            notice: reduced.then(|| feature.text(State::Reduced).to_owned()),
            retry_after: None,
        }
    }

    /// The kind words for when there is no answer.
    pub(crate) fn declined(outcome: Outcome, feature: Feature) -> Self {
        let answer = match outcome {
            Outcome::Off => format!(
                "{} It is temporary; commands such as !help still work.",
                feature.text(State::Disabled)
            ),
            Outcome::Shed => "So many of you at once! Please ask me again in a moment.".to_owned(),
            Outcome::Limited => {
                "You are quicker than I am. Please give me a moment before the next one.".to_owned()
            }
            Outcome::Denied => "I may not do that for you.".to_owned(),
            Outcome::Stopped => {
                "The moderators have given me the evening off; commands still work.".to_owned()
            }
            Outcome::Refused => {
                "I could not read that one. Could you put it differently?".to_owned()
            }
            // said only where silence is not to be had
            Outcome::Ignored => "As you wish: I take it that nothing was asked.".to_owned(),
            Outcome::Ok | Outcome::Error => {
                "I am sorry, that took me too long. Please ask me again in a moment.".to_owned()
            }
        };
        Self {
            answer,
            feature,
            outcome,
            animation: None,
            notice: None,
            retry_after: None,
        }
    }

    /// With other words than those that go with the outcome.
    pub(crate) fn saying(self, text: &str) -> Self {
        Self {
            answer: answer::fit(text, answer::MOST_UNITS),
            ..self
        }
    }
}
