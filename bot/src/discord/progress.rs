//! Up to where a session is finished with: just below the oldest of what is not. Pure.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Marks {
    heard: u64,
    open: BTreeSet<u64>,
}

/// How far one session is. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<Marks>>);

impl Progress {
    /// Everything up to here is finished.
    pub(super) fn from(sequence: u64) -> Self {
        let progress = Self::default();
        progress.hear(sequence);
        progress
    }

    /// Everything up to here has come, and what is to be done of it is begun.
    pub(super) fn hear(&self, sequence: u64) {
        let mut marks = self.marks();
        marks.heard = marks.heard.max(sequence);
    }

    /// What has just come is begun. That it has come is said in the same step: at no moment does it count as finished.
    pub(super) fn begin(&self, sequence: u64) -> Ticket {
        let mut marks = self.marks();
        marks.open.insert(sequence);
        marks.heard = marks.heard.max(sequence);
        Ticket {
            progress: self.clone(),
            sequence,
            open: false,
        }
    }

    /// Up to here nothing needs to be said again.
    pub(super) fn finished(&self) -> u64 {
        let marks = self.marks();
        let oldest = marks.open.first();
        oldest.map_or(marks.heard, |oldest| oldest.saturating_sub(1))
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that was begun; dropped, it is finished, even by a panic: it would panic again.
#[derive(Debug)]
pub(super) struct Ticket {
    progress: Progress,
    sequence: u64,
    open: bool,
}

impl Ticket {
    /// Leaves it to the next process.
    pub(super) fn leave(mut self) {
        self.open = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.open {
            self.progress.marks().open.remove(&self.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_oldest_that_is_not_finished_holds_the_mark() {
        let progress = Progress::from(5);
        let first = progress.begin(6);
        let second = progress.begin(7);
        progress.hear(9);
        assert_eq!(progress.finished(), 5);
        drop(second);
        assert_eq!(progress.finished(), 5);
        drop(first);
        assert_eq!(progress.finished(), 9);
        let left = progress.begin(10);
        progress.hear(11);
        left.leave();
        assert_eq!(progress.finished(), 9);
    }

    #[test]
    fn what_is_begun_is_never_finished_before() {
        let progress = Progress::from(5);
        let slow = progress.begin(9);
        assert_eq!(progress.finished(), 8);
        progress.hear(9);
        assert_eq!(progress.finished(), 8);
        drop(slow);
        assert_eq!(progress.finished(), 9);
    }

    proptest! {
        #[test]
        fn nothing_open_is_ever_below_the_mark(steps in prop::collection::vec((any::<bool>(), 0..8_usize), 0..200)) {
            let progress = Progress::default();
            let (mut sequence, mut open, mut before) = (0, Vec::new(), 0);
            for (begins, which) in steps {
                if begins {
                    sequence += 1;
                    open.push(progress.begin(sequence));
                } else if which < open.len() {
                    drop(open.remove(which));
                }
                let mark = progress.finished();
                prop_assert!(open.iter().all(|ticket| ticket.sequence > mark));
                prop_assert!(before <= mark && mark <= sequence, "it never goes back");
                before = mark;
            }
            drop(open);
            prop_assert_eq!(progress.finished(), sequence);
        }
    }
}
