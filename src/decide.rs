//! The decision core: readings in, a decision out. No I/O, no clock, no Kubernetes types; the
//! controller, `replay` and the tests all call this one.
//!
//! # Layout
//!
//! - `reading`: what a signal gave at a tick
//! - `memory`: what is remembered from tick to tick, and what an edit leaves of it
//! - `observe`: readings into the times of the comparisons and signals
//! - `conclude`: those times into at most one transition
//! - `damping`, `blindness`, `outlook`: what holds recovery, and until when
//! - `sentence`, `view`: a decision for people

mod blindness;
mod conclude;
mod damping;
mod decision;
mod edit;
mod memory;
mod observe;
mod outlook;
mod reading;
mod rung;
mod sentence;
mod view;

#[cfg(test)]
pub(crate) mod tests;

pub use decision::{Blocker, Cause, Decision, Reason, Transition};
pub use edit::level_after_edit;
pub use memory::{ComparisonMemory, Damping, LastKnown, Memory, SignalMemory};
pub use observe::observe;
pub use reading::{Reading, Unknown};
pub use sentence::sentence;
pub use view::{ComparisonView, CountedAsClear, Verdict, compare_views};

use crate::policy::Policy;
use crate::time::Time;

/// Decides one tick: [`observe`], then at most one transition.
///
/// # Guarantees
///
/// - A pure function of its arguments: same policy, readings, memory and `now`, same decision and
///   same memory after. It does not allocate and does not panic.
/// - At most one transition a tick: up to any higher level, or down by exactly one.
/// - No recovery rests on a reading that is Unknown, the empty room apart.
/// - Escalation is never held by damping, a pin or `maxLevel`: those bear on what is applied, or on
///   the way down.
/// - With unchanged readings, no tick before [`Decision::next_change`] decides another level. (A
///   level newly applied by hand bears on the empty room from the next regular tick on, and
///   `next_change` is then no later than that.)
/// - The memory may be saved and restored between any two ticks without changing a decision.
///
/// # Assumptions
///
/// - `readings` are in the order of `policy.signals`, and `memory` was made for this policy by
///   [`Memory::new`] or [`Memory::carry_over`].
/// - `now` grows from call to call. Ticks may come at any distance; a distance of more than two
///   intervals makes times start again, as the text of the rules says.
/// - `policy.mode` is not `Paused`: a paused policy does not decide.
pub fn decide(policy: &Policy, readings: &[Reading], memory: &mut Memory, now: Time) -> Decision {
    let counted = observe::count(policy, readings, memory, now);
    conclude::conclude(policy, readings, memory, counted, now)
}
