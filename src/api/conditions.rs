//! Conditions: their types and reasons, and the one way to set them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The policy is understood and carried out.
pub const READY: &str = "Ready";
/// The level is above Normal; the message carries level and cause.
pub const DEGRADED: &str = "Degraded";
/// False while the policy is blind, with the signal and the class it had when that began.
pub const METRICS_AVAILABLE: &str = "MetricsAvailable";
/// A person has pinned a level.
pub const PINNED: &str = "Pinned";
/// Flap damping holds recovery.
pub const FLAPPING: &str = "Flapping";

/// Ready: everything the level asks for is in place.
pub const RECONCILED: &str = "Reconciled";
/// Not Ready: the spec has violations that the API server let pass.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Not Ready: Brownout refuses a query.
pub const QUERY_REFUSED: &str = "QueryRefused";
/// Not Ready: the metrics server does not know a construct of a query.
pub const QUERY_REJECTED: &str = "QueryRejected";
/// Not Ready: no `MetricsSource` of that name, or one that cannot be asked at all.
pub const SOURCE_NOT_FOUND: &str = "SourceNotFound";
/// Not Ready: the `MetricsSource` does not allow the policy's namespace.
pub const SOURCE_NOT_ALLOWED: &str = "SourceNotAllowed";
// Not Ready: what a plan cannot carry out.
pub use crate::plan::reasons::{
    CONFIG_MAP_NOT_OWNED, FORBIDDEN, TARGET_CONFLICT, TARGET_CONTESTED, TARGET_NOT_FOUND,
};
/// Not Ready: what a workload needs cannot be read just now.
pub const TARGET_UNREADABLE: &str = "TargetUnreadable";
/// Not Ready: a write has failed several times in a row, for a reason that may pass by itself.
pub const WRITE_FAILED: &str = "WriteFailed";

/// Degraded is False: the level is Normal.
pub const NORMAL: &str = "Normal";
/// Degraded still: something keeps the level from being taken back.
pub const HOLDING: &str = "Holding";
/// `MetricsAvailable`: every signal that is compared can be read.
pub const SIGNALS_KNOWN: &str = "SignalsKnown";
/// `MetricsAvailable` again: a policy that was blind can see.
pub const SIGNALS_RETURNED: &str = "SignalsReturned";
/// Pinned: the annotation `brownout.dev/pin` holds.
pub const PIN_HOLDS: &str = "PinHolds";
/// Pinned is False: there is no pin.
pub const NO_PIN: &str = "NoPin";
/// Pinned is False: the annotations are those of a pin whose time is over.
pub const PIN_OVER: &str = "PinOver";
/// Pinned is False: the pin annotations cannot be understood.
pub const PIN_INVALID: &str = "PinInvalid";
/// Flapping: the level went up and down too often, recovery is held.
pub const RECOVERY_HELD: &str = "RecoveryHeld";
/// Flapping is False: the level is steady.
pub const STEADY: &str = "Steady";

/// The most characters of a condition's message that are kept.
pub const MAX_MESSAGE: usize = 1024;

/// Sets the condition of one type and leaves all others as they are; says whether anything changed.
///
/// `lastTransitionTime` moves only when the status does. A message that is too long is cut.
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let status = if status { "True" } else { "False" };
    let mut next = Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: cut(message, MAX_MESSAGE).to_owned(),
        observed_generation: generation,
        last_transition_time: Time(now),
    };
    let Some(old) = conditions.iter_mut().find(|c| c.type_ == type_) else {
        conditions.push(next);
        return true;
    };
    if old.status == next.status {
        next.last_transition_time = old.last_transition_time.clone();
    }
    let changed = *old != next;
    *old = next;
    changed
}

/// The condition of a type.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// At most so many characters of a text, never a part of one.
pub fn cut(text: &str, most: usize) -> &str {
    text.char_indices()
        .nth(most)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn set(conditions: &mut Vec<Condition>, status: bool, message: &str, second: i64) -> bool {
        set_condition(
            conditions,
            READY,
            status,
            RECONCILED,
            message,
            Some(1),
            at(second),
        )
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let mut conditions = Vec::new();
        assert!(set(&mut conditions, true, "fine", 1));
        assert!(
            !set(&mut conditions, true, "fine", 2),
            "nothing changed, so nothing is written"
        );
        assert!(set(&mut conditions, true, "better", 3));
        assert_eq!(conditions[0].last_transition_time, Time(at(1)));
        assert!(set(&mut conditions, false, "better", 4));
        assert_eq!(conditions[0].last_transition_time, Time(at(4)));
    }

    #[test]
    fn a_newer_generation_is_a_change() {
        let mut conditions = Vec::new();
        set(&mut conditions, true, "fine", 1);
        assert!(set_condition(
            &mut conditions,
            READY,
            true,
            RECONCILED,
            "fine",
            Some(2),
            at(2)
        ));
        assert_eq!(conditions[0].observed_generation, Some(2));
    }

    #[test]
    fn conditions_of_others_stay() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, "Audited", true, "ByHand", "", None, at(1));
        set(&mut conditions, true, "fine", 2);
        set(&mut conditions, false, "bad", 3);
        let types: Vec<_> = conditions.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(types, ["Audited", READY]);
        assert_eq!(
            condition(&conditions, "Audited").map(|c| c.reason.as_str()),
            Some("ByHand")
        );
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut conditions = Vec::new();
        set(&mut conditions, true, &"ü".repeat(MAX_MESSAGE + 1), 1);
        assert_eq!(conditions[0].message, "ü".repeat(MAX_MESSAGE));
        assert_eq!(cut("häm", 2), "hä");
        assert_eq!(cut("hä", 2), "hä");
    }
}
