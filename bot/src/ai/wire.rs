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
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default, deserialize_with = "or_default")]
    content: String,
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
