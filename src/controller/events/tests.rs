use super::*;
use crate::api::{BotDegradationPolicyStatus, PIN, PIN_REASON, PIN_UNTIL};
use crate::controller::hand::{Pin, holds};
use crate::controller::report::{self, Outcome};
use crate::controller::standing::Phase;
use crate::controller::standing::tests::{object, standing};
use crate::decide::tests::builder::policy;
use crate::policy::{Mode, Policy};
use crate::time::{Span, Time};

const UNTIL: &str = "2026-01-31T18:00:00Z";

fn at(time: &str) -> Time {
    time.parse::<jiff::Timestamp>().expect("a time").into()
}

/// What the annotations of a pin to the second rung come to.
fn pinned(until: &str, now: Time) -> Result<Option<Pin>, NoHold> {
    let pairs = [
        (PIN, "rung-2"),
        (PIN_UNTIL, until),
        (PIN_REASON, "a launch"),
    ];
    let annotations = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    holds(&ladder(), &annotations.into(), now)
}

fn ladder() -> Policy {
    policy(&["any a>10", "any a>20"])
}

/// What a report says, as the API server has it then.
fn reported(standing: &Standing, problem: Option<&NoHold>) -> BotDegradationPolicyStatus {
    let outcome = Outcome {
        published: None,
        flags_failed: false,
        refusals: &[],
        pending: false,
        generation: 1,
        pin_problem: problem,
    };
    let object = object("1", "a");
    report::status(&object, standing, &[], Some(&outcome), at(UNTIL))
}

/// A standing on which the pin was laid and whose time is over now, with what is wrong with the pin.
fn over(mut standing: Standing) -> (Standing, NoHold) {
    let end = at(UNTIL);
    standing.hand(
        &pinned(UNTIL, end - Span::from_secs(60)),
        end - Span::from_secs(60),
    );
    standing.notices.clear();
    let held = pinned(UNTIL, end);
    standing.hand(&held, end);
    (standing, held.expect_err("it is over"))
}

#[test]
fn a_pin_that_is_over_is_told_of_once() {
    let (standing, problem) = over(standing(ladder()));
    assert_eq!(standing.notices, [], "one Event, not two");
    let mut object = object("1", "a");
    let notice = pin_over(&object, &standing, Some(&problem)).expect("an Event");
    assert_eq!((notice.reason, notice.warning), ("PinOver", false));
    assert_eq!(
        notice.note,
        "the pin to rung-2 until 2026-01-31T18:00:00Z (a launch) is over: deciding goes on from rung-2"
    );

    object.status = Some(reported(&standing, Some(&problem)));
    assert_eq!(pin_over(&object, &standing, Some(&problem)), None);

    let later = at("2026-01-31T19:00:00Z");
    let next = pinned("2026-01-31T18:30:00Z", later).expect_err("it is over too");
    let next = pin_over(&object, &standing, Some(&next)).expect("another pin's");
    assert_ne!(next.action, notice.action, "a series of its own");
}

#[test]
fn a_pin_that_holds_or_cannot_be_understood_is_not_over() {
    let standing = standing(ladder());
    let object = object("1", "a");
    assert_eq!(pin_over(&object, &standing, None), None);
    let invalid = pinned("tomorrow", at(UNTIL)).expect_err("no time");
    assert_eq!(pin_over(&object, &standing, Some(&invalid)), None);
}

#[test]
fn what_happens_after_a_pin_is_said_as_it_is() {
    let note = |standing| {
        let (standing, problem) = over(standing);
        let notice = pin_over(&object("1", "a"), &standing, Some(&problem));
        notice.expect("an Event").note
    };
    let mut paused = ladder();
    paused.mode = Mode::Paused;
    let paused = note(standing(paused));
    assert!(
        paused.ends_with("the policy is Paused and stays at rung-2"),
        "{paused}"
    );
    let mut resting = standing(ladder());
    resting.phase = Phase::Resting;
    let resting = note(resting);
    assert!(resting.contains("it stays at rung-2 until"), "{resting}");
}

#[test]
fn a_pin_that_is_taken_out_before_its_time_has_an_event_of_its_own() {
    let mut standing = standing(ladder());
    let now = at(UNTIL) - Span::from_secs(60);
    standing.hand(&pinned(UNTIL, now), now);
    standing.hand(&Ok(None), now);
    let reasons: Vec<_> = standing
        .notices
        .iter()
        .map(|notice| notice.reason)
        .collect();
    assert_eq!(reasons, ["Pinned", "Unpinned"]);
    let note = &standing.notices[1].note;
    assert!(
        note.contains("the pin to rung-2 holds no more: deciding goes on"),
        "{note}"
    );
}
