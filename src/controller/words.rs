//! What status says of an answer of the API server: only what cannot change by itself. Others write the
//! words of a denial, an admission webhook or a quota for example, and may put a time or a request's id into
//! them; status would then be written each time. The log has them in full.

use super::error::ApiError;
use crate::api::conditions;
use crate::plan::Refusal;

const IN_LOG: &str = "the operator's log has its words";

/// What refuses something: the missing right, or the name of what to look at.
pub fn refusal(words: &str) -> String {
    let known = webhook(words)
        .or_else(|| admission_policy(words))
        .or_else(|| quota(words))
        .or_else(|| right(words));
    known.unwrap_or_else(|| IN_LOG.to_owned())
}

/// Why an object that a target needs cannot be read, for status. `what` names its kind and itself.
pub fn unreadable(err: &ApiError, what: &str) -> Refusal {
    match err {
        ApiError::Forbidden(words) => Refusal {
            reason: conditions::FORBIDDEN,
            message: denied(words, what),
        },
        _ => Refusal {
            reason: conditions::TARGET_UNREADABLE,
            message: format!(
                "the {what} cannot be read, the operator's log says why: its target is left as it is, and this is tried again"
            ),
        },
    }
}

/// That a write has failed several times in a row, for status.
pub fn failing(what: &str) -> Refusal {
    Refusal {
        reason: conditions::WRITE_FAILED,
        message: format!(
            "the API server fails when it is to {what}: {IN_LOG}, and this is tried again"
        ),
    }
}

/// That an object may not be read: a right would cure it.
pub fn denied(words: &str, what: &str) -> String {
    format!(
        "the operator may not read the {what}: 403 Forbidden, {}",
        refusal(words)
    )
}

/// `admission webhook "NAME" denied the request: ...`, of which only the name is sure to stay.
fn webhook(words: &str) -> Option<String> {
    let (name, _) = after(words, "admission webhook \"")?.split_once('"')?;
    Some(format!("the admission webhook {name} denies it, {IN_LOG}"))
}

/// `ValidatingAdmissionPolicy 'NAME' with binding 'NAME' denied request: MESSAGE`. It reads no clock, but may
/// tell of a version or a count: words with digits are left out.
fn admission_policy(words: &str) -> Option<String> {
    let (name, rest) = after(words, "ValidatingAdmissionPolicy '")?.split_once('\'')?;
    let message = after(rest, "denied request: ").unwrap_or_default();
    let steady = |word| match word {
        word if str::contains(word, |c: char| c.is_ascii_digit()) => "…",
        word => word,
    };
    let message: Vec<&str> = message.split_whitespace().map(steady).collect();
    let message = message.join(" ");
    Some(format!(
        "the ValidatingAdmissionPolicy {name} denies it: {message}"
    ))
}

/// `exceeded quota: NAME, requested: ..., used: ..., limited: ...`.
fn quota(words: &str) -> Option<String> {
    let name = after(words, "exceeded quota: ")?.split(',').next()?;
    Some(format!("the ResourceQuota {name} is used up, {IN_LOG}"))
}

/// `User "NAME" cannot VERB resource "R" in API group "G" in the namespace "N"`; an authorizer's own words
/// may follow.
fn right(words: &str) -> Option<String> {
    let rest = after(words, "\" cannot ")?;
    let (verb, rest) = rest.split_once(" resource \"")?;
    let (resource, rest) = rest.split_once('"')?;
    let group = after(rest, " in API group \"").and_then(|rest| rest.split('"').next());
    let group = match group.unwrap_or_default() {
        "" => String::new(),
        group => format!(" of {group}"),
    };
    Some(format!(
        "the right to {verb} {resource}{group} is missing in this namespace"
    ))
}

fn after<'a>(words: &'a str, mark: &str) -> Option<&'a str> {
    words.split_once(mark).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests;
