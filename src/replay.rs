//! `decide` folded over recorded series: what a policy would have done. Open-loop: the series stay
//! what they were, whatever is decided.
//!
//! - `series`: recorded samples, read and checked
//! - `report`: what came of them

mod report;
mod series;

pub use report::{Report, ReportedTransition, SecondsPerLevel};
pub use series::{Series, SeriesError, WideStep};

use crate::decide::{Decision, Memory, Reading, decide};
use crate::policy::{Mode, Policy};
use crate::time::{Span, Time};

/// Replays a policy over recorded series, from level 0.
///
/// Mode, pins and `maxLevel` are ignored, so the empty room goes by the level decided. Every time at
/// which any signal has a sample is a tick, and none is added.
pub fn replay(policy: &Policy, series: &Series) -> Report {
    let mut replay = Replay::new(policy);
    for (at, readings) in series.ticks() {
        replay.tick(at, readings);
    }
    replay.finish()
}

/// A replay tick by tick, for callers that make the ticks themselves.
#[derive(Clone, Debug)]
pub struct Replay {
    policy: Policy,
    memory: Memory,
    times: Option<(Time, Time)>,
    evaluations: u64,
    at_level: Vec<Span>,
    transitions: Vec<ReportedTransition>,
    flaps: u64,
}

impl Replay {
    /// A replay that has seen nothing yet.
    pub fn new(policy: &Policy) -> Self {
        let policy = Policy {
            mode: Mode::Enforce,
            max_level: None,
            ..policy.clone()
        };
        Self {
            memory: Memory::new(&policy),
            times: None,
            evaluations: 0,
            at_level: vec![Span::ZERO; policy.top() + 1],
            transitions: Vec::new(),
            flaps: 0,
            policy,
        }
    }

    /// Decides one tick, later than the one before. `readings` are in the order of
    /// `policy.signals`.
    pub fn tick(&mut self, at: Time, readings: &[Reading]) -> Decision {
        let from = match self.times {
            None => at,
            Some((from, last)) => {
                let here = &mut self.at_level[self.memory.level];
                *here = *here + (at - last);
                from
            }
        };
        self.times = Some((from, at));
        self.evaluations += 1;
        let decision = decide(&self.policy, readings, &mut self.memory, at);
        if let Some(transition) = &decision.transition {
            self.flaps += u64::from(transition.flap);
            let reported = ReportedTransition::of(&self.policy, at, transition);
            self.transitions.push(reported);
        }
        decision
    }

    /// The memory as it is after the last tick.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What came of the ticks; a replay without ticks begins and ends at the Unix epoch.
    pub fn finish(self) -> Report {
        let (from, to) = self.times.unwrap_or_default();
        let names = (0..=self.policy.top()).map(|level| self.policy.level_name(level).to_owned());
        Report {
            from,
            to,
            evaluations: self.evaluations,
            transitions: self.transitions,
            seconds_per_level: SecondsPerLevel(names.zip(self.at_level).collect()),
            flaps: self.flaps,
        }
    }
}

#[cfg(test)]
mod tests;
