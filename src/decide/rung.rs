//! What one rung says at a tick whose readings have been counted.

use super::memory::ComparisonMemory;
use crate::policy::{Comparison, LevelNumber, Policy, Quantifier, When};
use crate::time::{Span, Time};

/// A rung's `when` with the times of its comparisons.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung<'a> {
    pub(super) level: LevelNumber,
    when: &'a When,
    memory: &'a [ComparisonMemory],
}

/// The comparison on which a rung's being clear depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clearness {
    pub(super) comparison: usize,
    /// How long the rung has been clear; `None` where it is not clear now.
    pub(super) clear_for: Option<Span>,
}

/// Every rung of the ladder, mildest first.
pub(super) fn rungs<'a>(
    policy: &'a Policy,
    mut memory: &'a [ComparisonMemory],
) -> impl Iterator<Item = Rung<'a>> {
    policy.levels.iter().enumerate().map(move |(index, rung)| {
        let (own, rest) = memory.split_at(rung.when.comparisons.len().min(memory.len()));
        memory = rest;
        Rung {
            level: index + 1,
            when: &rung.when,
            memory: own,
        }
    })
}

pub(super) fn fires(comparison: &Comparison, memory: &ComparisonMemory) -> bool {
    memory.breached_now() && memory.breached_for >= comparison.hold
}

impl<'a> Rung<'a> {
    fn comparisons(self) -> impl Iterator<Item = (&'a Comparison, &'a ComparisonMemory)> {
        self.when.comparisons.iter().zip(self.memory)
    }

    /// Whether the rung fires.
    pub(super) fn fires(self) -> bool {
        match self.when.quantifier {
            Quantifier::Any => self.comparisons().any(|(c, m)| fires(c, m)),
            Quantifier::All => self.comparisons().all(|(c, m)| fires(c, m)),
        }
    }

    /// The first comparison that fires, in written order.
    pub(super) fn first_firing(self) -> Option<usize> {
        self.comparisons().position(|(c, m)| fires(c, m))
    }

    /// How long one of its comparisons has been breached.
    pub(super) fn breached_for(self, comparison: usize) -> Option<Span> {
        self.memory.get(comparison).map(|m| m.breached_for)
    }

    /// When a rung that does not fire will, if every reading stays as it is.
    pub(super) fn fires_at(self, now: Time) -> Option<Time> {
        let due = |(c, m): (&Comparison, &ComparisonMemory)| {
            m.breached_now().then(|| now + (c.hold - m.breached_for))
        };
        match self.when.quantifier {
            Quantifier::Any => self.comparisons().filter_map(due).min(),
            Quantifier::All => self
                .comparisons()
                .try_fold(now, |latest, pair| due(pair).map(|at| at.max(latest))),
        }
    }

    /// How long the rung has been clear: the least clear time of its comparisons (`any`) or the
    /// greatest (`all`), where one that is not clear now counts as none.
    pub(super) fn clearness(self) -> Clearness {
        let times = self
            .memory
            .iter()
            .map(|m| m.clear_now().then_some(m.clear_for))
            .enumerate();
        // None sorts below any time; the first of equals is kept either way
        let decisive = match self.when.quantifier {
            Quantifier::Any => times.reduce(|a, b| if b.1 < a.1 { b } else { a }),
            Quantifier::All => times.reduce(|a, b| if b.1 > a.1 { b } else { a }),
        };
        let (comparison, clear_for) = decisive.unwrap_or((0, None));
        Clearness {
            comparison,
            clear_for,
        }
    }
}
