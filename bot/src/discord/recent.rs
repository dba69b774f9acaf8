//! What was seen lately, within bounds: the gateway says again what it cannot know to have been heard.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The last so many entries, the oldest forgotten first.
pub(super) struct Recent<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
    most: usize,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// Remembers it; false when the key was known, whose value is replaced.
    pub(super) fn insert(&mut self, key: K, value: V) -> bool {
        if self.entries.insert(key.clone(), value).is_some() {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        true
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_the_last_ones_and_no_more() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1, ()));
        assert!(!recent.insert(1, ()));
        assert!(recent.insert(2, ()));
        assert!(recent.insert(3, ()));
        assert!(recent.get(&1).is_none() && recent.get(&3).is_some());
        assert_eq!(recent.entries.len(), recent.order.len());
    }
}
