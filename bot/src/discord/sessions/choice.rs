//! Which session to go on with. Pure.

use std::collections::HashMap;

use crate::store::sessions::KeptSession;

/// What to do about the sessions that are kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// Its holder is gone.
    Take(&'a KeptSession),
    /// At that time it shows whether a holder is gone.
    Wait(i64),
    /// Begin a new one.
    Fresh,
}

/// `first_seen` holds until when each holder was alive when it was looked at first: one that has said since
/// that it lives is not waited for. Any other is, even if a session of somebody who is gone could be had: its own
/// may be the later one.
pub(super) fn choose<'a>(
    kept: &'a [KeptSession],
    first_seen: &mut HashMap<String, i64>,
    now: i64,
) -> Choice<'a> {
    let (gone, held): (Vec<_>, Vec<_>) = kept.iter().partition(|kept| kept.alive_until <= now);
    let silent = held.into_iter().filter(|kept| {
        let first = first_seen.entry(kept.holder.clone());
        *first.or_insert(kept.alive_until) == kept.alive_until
    });
    if let Some(until) = silent.map(|kept| kept.alive_until).min() {
        return Choice::Wait(until);
    }
    // the latest is what Discord knows longest
    let latest = gone.into_iter().max_by_key(|kept| kept.alive_until);
    latest.map_or(Choice::Fresh, Choice::Take)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sessions::Bookmark;

    fn kept(holder: &str, alive_until: i64) -> KeptSession {
        KeptSession {
            holder: holder.to_owned(),
            alive_until,
            mark: Bookmark {
                bot: "7".to_owned(),
                session: "s".to_owned(),
                resume_url: String::new(),
                sequence: 1,
            },
        }
    }

    #[test]
    fn the_dead_are_taken_from_and_the_living_left_alone() {
        let mut seen = HashMap::new();
        assert_eq!(choose(&[], &mut seen, 100), Choice::Fresh);
        let dead = [kept("a", 90), kept("b", 100)];
        assert_eq!(choose(&dead, &mut seen, 100), Choice::Take(&dead[1]));
        let unsure = [kept("c", 130), kept("d", 120)];
        assert_eq!(choose(&unsure, &mut seen, 100), Choice::Wait(120));
        let one_lives = [kept("c", 130), kept("d", 150)];
        assert_eq!(choose(&one_lives, &mut seen, 121), Choice::Wait(130));
        let both_live = [kept("c", 160), kept("d", 150)];
        assert_eq!(choose(&both_live, &mut seen, 131), Choice::Fresh);
    }

    #[test]
    fn who_may_be_dead_too_is_waited_for_since_its_session_is_the_later_one() {
        let mut seen = HashMap::new();
        let rolled_out = [kept("old", 90), kept("new", 130)];
        assert_eq!(choose(&rolled_out, &mut seen, 100), Choice::Wait(130));
        let latest = Choice::Take(&rolled_out[1]);
        assert_eq!(choose(&rolled_out, &mut seen.clone(), 130), latest);
        let one_lives = [kept("old", 90), kept("new", 160)];
        assert_eq!(
            choose(&one_lives, &mut seen, 130),
            Choice::Take(&one_lives[0])
        );
    }
}
