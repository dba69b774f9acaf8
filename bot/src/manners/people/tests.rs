use governor::clock::FakeRelativeClock;

use super::*;
use crate::message::{Author, Door, Place};

fn message(user: &str, channel: &str) -> Message {
    Message {
        own_way: false,
        id: "1".to_owned(),
        door: Door::Discord,
        place: Place {
            guild: None,
            channel: channel.to_owned(),
            thread: None,
        },
        author: Author {
            id: user.to_owned(),
            name: String::new(),
            moderator: false,
        },
        text: String::new(),
    }
}

fn rate(per_minute: u32, burst: u32) -> Rate {
    Rate { per_minute, burst }
}

fn people(user: Rate, channel: Rate) -> (People<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (People::new(user, channel, rate(0, 0), &clock), clock)
}

fn say(result: Result<(), TooOften>) -> Option<bool> {
    result.err().map(|too_often| too_often.say)
}

#[test]
fn a_person_is_told_once_and_let_in_again() {
    let (people, clock) = people(rate(6, 2), rate(0, 0));
    let ann = message("ann", "c");
    let talk = || people.admit(&ann, Tier::Important);
    assert_eq!((talk(), talk()), (Ok(()), Ok(())));
    let first = talk().unwrap_err();
    assert_eq!((first.which, first.say), (Which::User, true));
    assert!(first.wait <= Duration::from_secs(10), "{:?}", first.wait);
    assert_eq!(say(talk()), Some(false));
    // others and commands are not held to it
    assert_eq!(people.admit(&message("bob", "c"), Tier::Important), Ok(()));
    for _ in 0..8 {
        assert_eq!(people.admit(&ann, Tier::Critical), Ok(()));
    }
    assert!(people.admit(&ann, Tier::Critical).is_err());
    clock.advance(Duration::from_secs(10));
    assert_eq!(talk(), Ok(()));
    assert_eq!(say(talk()), Some(false));
    clock.advance(Duration::from_mins(1));
    assert_eq!((talk(), talk(), say(talk())), (Ok(()), Ok(()), Some(true)));
}

#[test]
fn a_channel_has_a_limit_of_its_own() {
    let (people, _clock) = people(rate(0, 0), rate(60, 3));
    let talk = |user: &str, channel| people.admit(&message(user, channel), Tier::Luxury);
    for user in ["a", "b", "c"] {
        assert_eq!(talk(user, "lobby"), Ok(()));
    }
    assert_eq!(talk("d", "lobby").unwrap_err().which, Which::Channel);
    assert_eq!(talk("d", "attic"), Ok(()));
}

#[test]
fn nobody_is_limited_whom_the_door_does_not_know() {
    let (people, _clock) = people(rate(1, 1), rate(1, 1));
    for _ in 0..100 {
        assert_eq!(people.admit(&message("", ""), Tier::Important), Ok(()));
    }
}

#[test]
fn memory_is_bounded_and_the_past_forgotten() {
    let (people, clock) = people(rate(1, 1), rate(0, 0));
    let most = MOST_KEYS + usize::try_from(SHARED_KEYS).unwrap();
    for n in 0..MOST_KEYS + 5_000 {
        let _ = people.admit(&message(&n.to_string(), ""), Tier::Important);
    }
    assert!(people.keys(Which::User) <= most);
    assert!(people.told.keys.len() <= most);
    clock.advance(Duration::from_mins(2));
    for n in 0..FORGET_EVERY {
        let new = message(&format!("new {n}"), "");
        let _ = people.admit(&new, Tier::Important);
    }
    assert!(people.keys(Which::User) <= usize::try_from(FORGET_EVERY).unwrap());
    assert_eq!(people.admit(&message("new", ""), Tier::Important), Ok(()));
}
