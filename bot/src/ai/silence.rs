//! Why the model gave no answer, and what to say then: kindly, honestly, and with a time to try again.

use std::time::Duration;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Every quota is out.
    Spent { retry_in: Duration },
    /// The API wants fewer requests, or takes none of the keys.
    Limited { retry_in: Duration },
    /// It has failed too often of late.
    Unwell { retry_in: Duration },
    /// Too many questions are with it already.
    Busy,
    /// No answer in time.
    Late,
    /// An answer that is none.
    Failed,
    /// The store is away, so that nothing could be counted.
    Uncounted,
    /// The API does not answer this question, whoever asks it.
    Withheld,
}

impl Silence {
    /// All that [`Self::cause`] may be.
    pub(crate) const CAUSES: [&str; 8] = [
        "quota",
        "limited",
        "breaker",
        "busy",
        "deadline",
        "failed",
        "uncounted",
        "withheld",
    ];

    /// One word, for metrics and logs.
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Spent { .. } => "quota",
            Self::Limited { .. } => "limited",
            Self::Unwell { .. } => "breaker",
            Self::Busy => "busy",
            Self::Late => "deadline",
            Self::Failed => "failed",
            Self::Uncounted => "uncounted",
            Self::Withheld => "withheld",
        }
    }

    /// Whether nobody was asked: there was nothing to wait for.
    pub(crate) fn at_once(&self) -> bool {
        match self {
            Self::Spent { .. }
            | Self::Limited { .. }
            | Self::Unwell { .. }
            | Self::Busy
            | Self::Uncounted => true,
            Self::Late | Self::Failed | Self::Withheld => false,
        }
    }

    /// What to tell the user.
    pub(crate) fn text(&self) -> String {
        let (what, retry_in) = match self {
            Self::Spent { retry_in } => (
                "My larger mind is resting: it has answered all it may for now.",
                Some(retry_in),
            ),
            Self::Limited { retry_in } => {
                ("My larger mind has asked for a short rest.", Some(retry_in))
            }
            Self::Unwell { retry_in } => ("My larger mind is unwell and resting.", Some(retry_in)),
            Self::Busy => ("My larger mind is busy with others.", None),
            Self::Late => ("My larger mind took too long over this one.", None),
            Self::Failed | Self::Uncounted => ("My larger mind is resting for the moment.", None),
            Self::Withheld => return WITHHELD.to_owned(),
        };
        let when = retry_in.map_or_else(|| "in a moment".to_owned(), |time| soon(*time));
        format!("{what} Please ask me again {when}; commands such as !help still work.")
    }
}

/// To ask the same again would not help.
const WITHHELD: &str =
    "That is nothing that I may talk about, or too much at once. Could you put it differently?";

/// A time to come back at, never too early.
fn soon(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match minutes {
        0 => "in a moment".to_owned(),
        1 => "in a minute".to_owned(),
        2..60 => format!("in {minutes} minutes"),
        60..=119 => "in an hour or two".to_owned(),
        120..2880 => format!("in {} hours", minutes.div_ceil(60)),
        _ => format!("in {} days", minutes.div_ceil(1440)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_words_and_never_too_early() {
        for (seconds, words) in [
            (0, "in a moment"),
            (1, "in a minute"),
            (60, "in a minute"),
            (61, "in 2 minutes"),
            (3540, "in 59 minutes"),
            (3541, "in an hour or two"),
            (7200, "in 2 hours"),
            (7201, "in 3 hours"),
            (172_800, "in 2 days"),
            (950_400, "in 11 days"),
        ] {
            assert_eq!(soon(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }

    #[test]
    fn every_silence_has_a_cause_and_kind_words() {
        let retry_in = Duration::from_secs(700);
        for (silence, cause) in [
            Silence::Spent { retry_in },
            Silence::Limited { retry_in },
            Silence::Unwell { retry_in },
            Silence::Busy,
            Silence::Late,
            Silence::Failed,
            Silence::Uncounted,
            Silence::Withheld,
        ]
        .iter()
        .zip(Silence::CAUSES)
        {
            assert_eq!(silence.cause(), cause);
            let text = silence.text();
            let what_to_do = match silence {
                Silence::Withheld => "differently?",
                _ => "again in",
            };
            assert!(
                text.contains(what_to_do) && !text.contains("rror"),
                "{text}"
            );
        }
    }
}
