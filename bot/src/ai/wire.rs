//! `POST {base}/chat/completions`, read leniently: many servers speak this protocol, each with an accent.

use serde::{Deserialize, Deserializer, Serialize};

use super::prompt::Prompt;

#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    max_tokens: u32,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Request<'a> {
    pub(super) fn new(model: &'a str, prompt: &'a Prompt) -> Self {
        let messages = prompt.messages.iter().map(|(role, content)| Message {
            role: role.name(),
            content,
        });
        Self {
            model,
            messages: messages.collect(),
            max_tokens: prompt.max_tokens,
        }
    }
}

/// An answer, and what it cost where the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) usage: Option<Tokens>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Tokens {
    #[serde(default, rename = "prompt_tokens", deserialize_with = "or_default")]
    pub(super) prompt: u64,
    #[serde(default, rename = "completion_tokens", deserialize_with = "or_default")]
    pub(super) completion: u64,
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default, deserialize_with = "or_default")]
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, deserialize_with = "or_default")]
    message: Said,
    #[serde(default, deserialize_with = "or_default")]
    finish_reason: String,
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default, deserialize_with = "or_default")]
    content: String,
    /// Why there is no content.
    #[serde(default, deserialize_with = "or_default")]
    refusal: Option<String>,
}

/// `null`, or anything of another type, is as good as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Default + serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// No answer costs more; a larger number is a mistake, and two of them would not fit into one.
const MOST_TOKENS: u64 = 1 << 32;

impl Tokens {
    /// Within reason. No answer is free: a server that says so, or only a total, has not said.
    fn said(self) -> Option<Self> {
        let tokens = Self {
            prompt: self.prompt.min(MOST_TOKENS),
            completion: self.completion.min(MOST_TOKENS),
        };
        (tokens != Self::default()).then_some(tokens)
    }
}

/// A question that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Withheld {
    /// An error costs nothing; an answer that was filtered costs what the server said.
    pub(super) cost: Option<Tokens>,
}

/// The answer in a body; none where there is no text in it.
pub(super) fn read(body: &[u8]) -> Option<Answer> {
    let completion: Completion = serde_json::from_slice(body).ok()?;
    let text = completion.choices.into_iter().next()?.message.content;
    (!text.trim().is_empty()).then_some(Answer {
        text,
        usage: completion.usage.and_then(Tokens::said),
    })
}

/// Whether the body of an error says that the quota is out, not just that we are too fast.
pub(super) fn quota_is_out(body: &[u8]) -> bool {
    kinds(body).any(|kind| kind == "insufficient_quota")
}

/// Whether the body of an error says that it is the key, or whose it is, that is not accepted: `invalid_api_key`,
/// `permission_error`, `PERMISSION_DENIED`, `account_deactivated` and the like.
pub(super) fn names_the_key(body: &[u8]) -> bool {
    kinds(body).any(|kind| {
        let words = ["key", "auth", "permission", "account", "billing"];
        words.iter().any(|word| kind.contains(word))
    })
}

/// Whether a body says that this question is not answered, whoever asks it and however often: it is filtered,
/// flagged or too long.
///
/// It speaks of one person's question. Were it taken for a fault, a few such questions would open the circuit
/// breaker for everybody, and raise the ratio of errors that policies go by.
pub(super) fn withheld(body: &[u8]) -> Option<Withheld> {
    const WORDS: [&str; 5] = [
        "content_filter",
        "content_policy",
        "context_length",
        "moderation",
        "safety",
    ];
    let filtered = kinds(body).any(|kind| WORDS.iter().any(|word| kind.contains(word)));
    if filtered || names_reasons(body) {
        return Some(Withheld {
            cost: Some(Tokens::default()),
        });
    }
    let completion: Completion = serde_json::from_slice(body).ok()?;
    let choice = completion.choices.into_iter().next()?;
    let no_text = choice.message.content.trim().is_empty();
    (no_text && (choice.finish_reason == "content_filter" || choice.message.refusal.is_some()))
        .then(|| Withheld {
            cost: completion.usage.and_then(Tokens::said),
        })
}

/// Whether an error has a list of reasons for which the input was flagged, as routers to several models send it.
fn names_reasons(body: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    value["error"]["metadata"]["reasons"].is_array()
}

/// The words for programs in the body of an error; never its message, in which people's words may stand.
fn kinds(body: &[u8]) -> impl Iterator<Item = String> {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = move |field| Some(value["error"][field].as_str()?.to_lowercase());
    ["code", "type", "status"].into_iter().filter_map(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_any_accent() {
        let usage = |prompt, completion| Some(Tokens { prompt, completion });
        for (body, expected) in [
            (
                r#"{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],
                    "usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#,
                Some(("Hi", usage(7, 2))),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hi"}}],"usage":null}"#,
                Some(("Hi", None)),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":"many"}}"#,
                Some(("Hi", None)),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{}}"#,
                Some(("Hi", None)),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{"total_tokens":9}}"#,
                Some(("Hi", None)),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":"many","completion_tokens":2}}"#,
                Some(("Hi", usage(0, 2))),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":18446744073709551615}}"#,
                Some(("Hi", usage(MOST_TOKENS, 0))),
            ),
            (
                r#"{"choices":[{"message":{"content":null,"tool_calls":[]}}]}"#,
                None,
            ),
            (r#"{"choices":[{"message":{"content":"  "}}]}"#, None),
            (r#"{"choices":[]}"#, None),
            (r#"{"object":"error"}"#, None),
            ("<html>", None),
            ("", None),
        ] {
            let read = read(body.as_bytes()).map(|answer| (answer.text, answer.usage));
            let expected = expected.map(|(text, usage)| (text.to_owned(), usage));
            assert_eq!(read, expected, "{body}");
        }
    }

    #[test]
    fn a_quota_that_is_out_is_told_from_haste() {
        for (body, out) in [
            (r#"{"error":{"code":"insufficient_quota"}}"#, true),
            (
                r#"{"error":{"type":"insufficient_quota","code":null}}"#,
                true,
            ),
            (r#"{"error":{"code":"rate_limit_exceeded"}}"#, false),
            (r#"{"error":"insufficient_quota"}"#, false),
            ("too many", false),
        ] {
            assert_eq!(quota_is_out(body.as_bytes()), out, "{body}");
        }
    }

    #[test]
    fn a_question_that_is_not_answered_is_told_from_an_api_that_fails() {
        let withheld_at = |cost| Some(Withheld { cost });
        let nothing = withheld_at(Some(Tokens::default()));
        let cost = |prompt, completion| withheld_at(Some(Tokens { prompt, completion }));
        for (body, expected) in [
            (
                r#"{"error":{"code":"content_filter","status":400}}"#,
                nothing,
            ),
            (r#"{"error":{"code":"content_policy_violation"}}"#, nothing),
            (r#"{"error":{"code":"context_length_exceeded"}}"#, nothing),
            (
                r#"{"error":{"code":403,"metadata":{"reasons":["violence"],"flagged_input":"x"}}}"#,
                nothing,
            ),
            (
                r#"{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}],
                    "usage":{"prompt_tokens":7,"completion_tokens":0}}"#,
                cost(7, 0),
            ),
            (
                r#"{"choices":[{"message":{"content":"","refusal":"I cannot"},"finish_reason":"stop"}]}"#,
                withheld_at(None),
            ),
            // what is there of an answer that was cut short is an answer
            (
                r#"{"choices":[{"message":{"content":"Well"},"finish_reason":"content_filter"}]}"#,
                None,
            ),
            (
                r#"{"choices":[{"message":{"content":null,"refusal":null},"finish_reason":"stop"}]}"#,
                None,
            ),
            // people's words are not looked at
            (r#"{"error":{"code":403,"message":"content_filter"}}"#, None),
            (r#"{"error":{"code":"model_not_found"}}"#, None),
            (r#"{"error":{"code":"invalid_api_key"}}"#, None),
            ("Forbidden", None),
        ] {
            assert_eq!(withheld(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn only_an_error_that_names_the_key_is_about_the_key() {
        for (body, names) in [
            (r#"{"error":{"code":"invalid_api_key"}}"#, true),
            (
                r#"{"error":{"type":"permission_error","message":"no"}}"#,
                true,
            ),
            (
                r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#,
                true,
            ),
            (
                r#"{"error":{"code":403,"message":"your key said: invalid_api_key"}}"#,
                false,
            ),
            (r#"{"error":{"type":"content_policy_violation"}}"#, false),
            ("Forbidden", false),
            ("", false),
        ] {
            assert_eq!(names_the_key(body.as_bytes()), names, "{body}");
        }
    }
}
