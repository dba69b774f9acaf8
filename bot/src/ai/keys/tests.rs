use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;
/// 2026-11-21T09:00:00Z
const NINE: i64 = 1_795_251_600_000;

/// When the first of the keys at rest is ready again; now, where one is.
fn ready_at(keys: &Keys, now: i64) -> i64 {
    let until = |key| keys.rests_until(key, now).unwrap_or(now);
    (0..keys.standings.len()).map(until).min().unwrap_or(now)
}

#[test]
fn the_next_is_used_when_the_quota_is_out_and_the_first_at_the_turn_of_the_hour() {
    let mut keys = Keys::new(2, Hour::default());
    let now = NINE + HOUR / 2;
    assert_eq!(keys.next(0, now), Some(0));
    keys.learn(0, Verdict::Spent(Window::Hour), now);
    assert_eq!(
        (keys.next(0, now), keys.state(0, now)),
        (Some(1), KeyState::Spent)
    );
    keys.learn(1, Verdict::Exhausted, now);
    assert_eq!(
        (keys.next(0, now), ready_at(&keys, now)),
        (None, NINE + HOUR)
    );
    assert_eq!(keys.next(0, NINE + HOUR - 1), None);
    assert_eq!(keys.next(0, NINE + HOUR), Some(0));
}

#[test]
fn what_is_given_back_wakes_a_key_that_we_have_counted_out_and_no_other() {
    let mut keys = Keys::new(3, Hour::default());
    keys.learn(0, Verdict::Exhausted, NINE);
    keys.learn(1, Verdict::Refused, NINE);
    keys.learn(2, Verdict::Spent(Window::Hour), NINE);
    for key in 0..3 {
        keys.give_back(key);
    }
    let states = [0, 1, 2].map(|key| keys.state(key, NINE));
    assert_eq!(
        states,
        [KeyState::Spent, KeyState::Refused, KeyState::Ready]
    );
}

#[test]
fn a_key_spent_for_the_month_is_back_with_the_next() {
    let mut keys = Keys::new(1, Hour::default());
    keys.learn(0, Verdict::Spent(Window::Month), NINE);
    keys.learn(0, Verdict::Spent(Window::Hour), NINE);
    let december = Window::Month.end(NINE, Hour::default());
    assert_eq!(ready_at(&keys, NINE), december);
    assert_eq!(keys.next(0, december - 1), None);
    assert_eq!(keys.next(0, december), Some(0));
}

#[test]
fn a_refused_key_pauses_longer_each_time_and_a_success_forgives() {
    let mut keys = Keys::new(1, Hour::default());
    let mut now = NINE;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        keys.learn(0, Verdict::Refused, now);
        // of many at once, one counts
        keys.learn(0, Verdict::Refused, now);
        assert_eq!(ready_at(&keys, now), now + minutes * 60_000);
        assert_eq!(keys.state(0, now), KeyState::Refused);
        now += minutes * 60_000;
        assert_eq!(keys.state(0, now), KeyState::Ready);
    }
    keys.learn(0, Verdict::Served, now);
    keys.learn(0, Verdict::Refused, now);
    assert_eq!(ready_at(&keys, now), now + 60_000);
}

#[test]
fn a_limited_key_rests_as_long_as_the_api_says_within_reason() {
    for (pause, seconds) in [
        (Some(Duration::from_secs(7)), 7),
        (None, 5),
        (Some(Duration::MAX), 24 * 3600),
    ] {
        let mut keys = Keys::new(1, Hour::default());
        keys.learn(0, Verdict::Limited(pause), NINE);
        assert_eq!(ready_at(&keys, NINE), NINE + seconds * 1000);
        assert_eq!(keys.state(0, NINE), KeyState::Limited);
    }
}

#[test]
fn what_a_clock_that_was_ahead_has_learned_is_forgotten() {
    let mut keys = Keys::new(1, Hour::default());
    let ahead = NINE + 40 * 24 * HOUR;
    keys.learn(0, Verdict::Spent(Window::Month), ahead);
    assert_eq!(keys.state(0, ahead - 1000), KeyState::Spent);
    assert_eq!(keys.rests_until(0, NINE), None);
    assert_eq!(keys.next(0, NINE), Some(0));
    // nor does it keep what is learned then from being heard
    keys.learn(0, Verdict::Spent(Window::Hour), NINE);
    assert_eq!(keys.rests_until(0, NINE), Some(NINE + HOUR));
}

#[derive(Clone, Debug)]
enum Event {
    Ask,
    Pass(i64),
    Refuse,
    Limit(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => Just(Event::Ask),
        1 => (1..HOUR).prop_map(Event::Pass),
        1 => Just(Event::Refuse),
        1 => (0_u64..600).prop_map(Event::Limit),
    ];
    prop::collection::vec(event, 1..200)
}

proptest! {
    /// The count is the store's; here it is a table that is as strict as the store's statement.
    #[test]
    fn no_key_gets_more_in_an_hour_than_its_quota_and_none_is_passed_over(
        events in events(),
        count in 1_usize..4,
        quota in 1_u32..6,
    ) {
        let mut keys = Keys::new(count, Hour::default());
        let mut now = NINE;
        let mut used = std::collections::BTreeMap::<(usize, i64), u32>::new();
        for event in events {
            match event {
                Event::Pass(ms) => now += ms,
                Event::Refuse => if let Some(key) = keys.next(0, now) {
                    keys.learn(key, Verdict::Refused, now);
                },
                Event::Limit(s) => if let Some(key) = keys.next(0, now) {
                    keys.learn(key, Verdict::Limited(Some(Duration::from_secs(s))), now);
                },
                Event::Ask => {
                    let mut from = 0;
                    while let Some(key) = keys.next(from, now) {
                        let used = used.entry((key, Window::Hour.start(now, Hour::default()))).or_default();
                        if *used < quota {
                            *used += 1;
                            for before in 0..key {
                                prop_assert_ne!(keys.state(before, now), KeyState::Ready);
                            }
                            break;
                        }
                        keys.learn(key, Verdict::Spent(Window::Hour), now);
                        from = key + 1;
                    }
                    if keys.next(0, now).is_none() {
                        let ready = ready_at(&keys, now);
                        prop_assert!(ready > now);
                        prop_assert!(keys.next(0, ready).is_some());
                        prop_assert!(keys.next(0, ready - 1).is_none());
                    }
                }
            }
            prop_assert!(used.values().all(|&used| used <= quota));
            // at the turn of the hour whoever was only spent is back
            let turn = Window::Hour.end(now, Hour::default());
            for key in 0..count {
                prop_assert_ne!(keys.state(key, turn), KeyState::Spent);
            }
        }
    }
}
