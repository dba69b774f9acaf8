use super::*;
use crate::decide::tests::builder::policy;

fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_pin_whose_time_is_over_is_said_to_be_over() {
    let policy = policy(&["any a>10", "any a>20"]);
    let pinned = annotations(&[(PIN, "rung-1"), (PIN_UNTIL, "2026-01-31T19:00:00+01:00")]);
    let end: Time = "2026-01-31T18:00:00Z".parse::<Timestamp>().unwrap().into();
    let before = end - crate::time::Span::from_secs(1);
    assert!(holds(&policy, &pinned, before).unwrap().is_some());
    let over = holds(&policy, &pinned, end).unwrap_err();
    assert_eq!(over.reason, conditions::PIN_OVER);
    assert!(
        over.message.contains("2026-01-31T18:00:00Z is over"),
        "{over:?}"
    );
    assert_eq!(holds(&policy, &annotations(&[]), end), Ok(None));
}

#[test]
fn a_pin_above_the_highest_level_says_what_is_applied() {
    let mut policy = policy(&["any a>10", "any a>20"]);
    let pinned = annotations(&[(PIN, "rung-2"), (PIN_UNTIL, "2026-01-31T18:00:00Z")]);
    let pin = pin(&policy, &pinned).unwrap().expect("a pin");
    let says = "pinned to rung-2 until 2026-01-31T18:00:00Z";
    assert_eq!(pin.sentence(&policy), says);
    policy.max_level = Some(1);
    let capped = pin.sentence(&policy);
    assert!(capped.contains("maxLevel holds it at rung-1"), "{capped}");
}

#[test]
fn a_pin_is_read_from_its_annotations() {
    let policy = policy(&["any a>10", "any a>20"]);
    let until = (PIN_UNTIL, "2026-01-31T18:00:00Z");
    for (name, pairs, level, reason) in [
        ("without a reason", vec![(PIN, "rung-2"), until], 2, ""),
        (
            "with one",
            vec![(PIN, "rung-1"), until, (PIN_REASON, "a launch")],
            1,
            "a launch",
        ),
        ("Normal is a level too", vec![(PIN, "Normal"), until], 0, ""),
    ] {
        let pin = pin(&policy, &annotations(&pairs)).unwrap().expect(name);
        let ends = pin.until.to_string();
        assert_eq!(
            (pin.level, pin.reason.as_str(), ends.as_str()),
            (level, reason, "2026-01-31T18:00:00Z"),
            "{name}"
        );
    }
    let west = annotations(&[(PIN, "rung-1"), (PIN_UNTIL, "2026-01-31T18:00:00-02:00")]);
    let west = pin(&policy, &west).unwrap().unwrap();
    assert_eq!(west.until.to_string(), "2026-01-31T20:00:00Z");
    for none in [annotations(&[]), annotations(&[until, (PIN_REASON, "x")])] {
        assert_eq!(pin(&policy, &none), Ok(None));
    }
}

#[test]
fn a_bad_pin_says_what_to_write() {
    let policy = policy(&["any a>10", "any a>20"]);
    let until = (PIN_UNTIL, "2026-01-31T18:00:00Z");
    for (pairs, says) in [
        (
            vec![(PIN, "rung-3"), until],
            "write one of Normal, rung-1, rung-2",
        ),
        (vec![(PIN, ""), until], "there is no level \"\""),
        (vec![(PIN, "rung-1")], "brownout.dev/pin-until is missing"),
        (
            vec![(PIN, "rung-1"), (PIN_UNTIL, "30m")],
            "\"30m\" is no RFC 3339 time",
        ),
        (
            vec![(PIN, "rung-1"), (PIN_UNTIL, "2026-01-31T18:00:00")],
            "no RFC 3339 time",
        ),
    ] {
        let problem = pin(&policy, &annotations(&pairs)).unwrap_err();
        assert!(problem.contains(says), "{problem}");
    }
}
