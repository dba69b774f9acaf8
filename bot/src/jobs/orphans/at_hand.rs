//! What is being said at the moment: each answer once, and so many at a door.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::message::Door;

/// At each door: one that hangs keeps no other from speaking. Who finds no place is offered again.
const AT_ONCE: usize = 16;

/// The ids of what is being said, and where.
#[derive(Default)]
pub(super) struct AtHand(Mutex<HashMap<String, Door>>);

impl AtHand {
    /// Holds a place for one that is not being said already.
    pub(super) fn take(&self, door: Door, id: &str) -> Option<Held<'_>> {
        let mut all = self.all();
        let there = all.values().filter(|&&other| other == door).count();
        if there >= AT_ONCE || all.contains_key(id) {
            return None;
        }
        all.insert(id.to_owned(), door);
        Some(Held {
            at_hand: self,
            id: id.to_owned(),
        })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Door>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place; dropped, another may have it.
pub(super) struct Held<'a> {
    at_hand: &'a AtHand,
    id: String,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.at_hand.all().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_at_a_time_and_a_full_door_leaves_the_others_theirs() {
        let at_hand = AtHand::default();
        let ids: Vec<String> = (0..=AT_ONCE).map(|n| n.to_string()).collect();
        let mut held: Vec<_> = ids[1..]
            .iter()
            .map(|id| at_hand.take(Door::Discord, id).unwrap())
            .collect();
        assert!(at_hand.take(Door::Discord, "0").is_none(), "full");
        assert!(at_hand.take(Door::Page, "1").is_none(), "being said");
        let _page = at_hand.take(Door::Page, "0").unwrap();
        held.pop();
        assert!(at_hand.take(Door::Discord, "another").is_some());
    }
}
