//! What travels between gateway and workers, and what may still be done with it.

use std::time::Duration;

use brownout::policy::Tier;
use serde::{Deserialize, Serialize};

use crate::chat::Animation;
use crate::features::Feature;
use crate::message::Message;
use crate::metrics::Outcome;

/// One thing to do for one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) message: Message,
    /// Animations: what the answer to the message is celebrated with. Else: the answer.
    pub(crate) feature: Feature,
    /// When it was handed in; all times are Unix milliseconds.
    pub(crate) at: i64,
    /// Nobody wants it begun after that; it may be begun again if its worker died.
    pub(crate) take_by: i64,
    /// Nobody waits for it after that.
    pub(crate) deadline: i64,
    /// The subject on which the gateway hears of it.
    pub(crate) reply_to: String,
}

impl Job {
    /// What it is done once for: an answer and its animation are two jobs of one message.
    pub(crate) fn id(&self) -> String {
        id(&self.message, self.feature)
    }

    pub(crate) fn tier(&self) -> Tier {
        self.feature.tier()
    }

    /// Whether it comes too late, by this clock, on its first or a later delivery.
    pub(crate) fn is_late(&self, now: i64, first: bool) -> bool {
        now >= self.deadline || (first && now >= self.take_by)
    }

    /// How long somebody waits for it from now on.
    pub(crate) fn left(&self, now: i64) -> Duration {
        let left = self.deadline.saturating_sub(now);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

/// See [`Job::id`].
pub(crate) fn id(message: &Message, feature: Feature) -> String {
    match feature {
        Feature::Animations => format!("{}/animation", message.id),
        _ => message.id.clone(),
    }
}

/// What a worker tells the gateway about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Note {
    /// Somebody works on it.
    Taken { id: String },
    /// This is what became of it.
    Done { id: String, verdict: Verdict },
}

/// An answer whose gateway is gone: any other may say it through the message's door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orphan {
    pub(crate) message: Message,
    pub(crate) text: String,
}

/// What a gateway says to an [`Orphan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Adopted {
    /// It has arrived.
    Delivered,
    /// Its door cannot speak unasked, or nobody is there any more.
    Nobody,
}

/// What became of a job; it is also what the store keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// The answer, or more than the outcome says about why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) animation: Option<Animation>,
    /// Whether it was clear before any work was begun that there is no answer.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) at_once: bool,
}

impl Verdict {
    /// With the words that go with the outcome.
    pub(crate) fn plain(outcome: Outcome) -> Self {
        Self {
            outcome,
            text: None,
            animation: None,
            at_once: false,
        }
    }
}

/// As the store keeps a verdict. Written by another version, that the job is done is certain, and the words
/// are lost.
pub(crate) fn read(reply: &str) -> Verdict {
    serde_json::from_str(reply).unwrap_or_else(|_| Verdict::plain(Outcome::Error))
}

/// As subjects and consumers call a tier.
pub(crate) fn token(tier: Tier) -> &'static str {
    match tier {
        Tier::Critical => "critical",
        Tier::Important => "important",
        Tier::Luxury => "luxury",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Author, Door, Place};

    fn job(feature: Feature) -> Job {
        Job {
            message: Message {
                own_way: false,
                id: "m1".to_owned(),
                door: Door::Api,
                place: Place::default(),
                author: Author {
                    id: "a".to_owned(),
                    name: "Guest".to_owned(),
                    moderator: false,
                },
                text: "Hello!".to_owned(),
            },
            feature,
            at: 1_000,
            take_by: 2_000,
            deadline: 9_000,
            reply_to: "chatbotler.replies.g".to_owned(),
        }
    }

    #[test]
    fn an_answer_and_its_animation_are_two_jobs_of_one_message() {
        assert_ne!(
            job(Feature::Animations).id(),
            job(Feature::AiChat).id(),
            "the queue would take the second for a repetition"
        );
        assert_eq!(job(Feature::AiChat).id(), "m1");
    }

    #[test]
    fn a_job_is_late_when_nobody_waits_and_when_nobody_took_it_in_time() {
        let job = job(Feature::DeepAnswers);
        for (now, first, late) in [
            (1_999, true, false),
            (2_000, true, true),
            (2_000, false, false),
            (8_999, false, false),
            (9_000, false, true),
        ] {
            assert_eq!(job.is_late(now, first), late, "{now} {first}");
        }
        assert_eq!(job.left(8_500), Duration::from_millis(500));
        assert_eq!(job.left(9_500), Duration::ZERO);
    }

    #[test]
    fn it_arrives_as_it_was_sent() {
        let job = job(Feature::AiChat);
        let bytes = serde_json::to_vec(&job).unwrap();
        assert_eq!(serde_json::from_slice::<Job>(&bytes).unwrap(), job);
    }
}
