//! The decision core: readings in, a decision out. No I/O, no clock, no Kubernetes types; the
//! controller, `replay` and the tests all call this one.

mod decision;
mod memory;
mod reading;

pub use decision::{Blocker, Cause, Decision, Reason, Transition};
pub use memory::{ComparisonMemory, Damping, LastKnown, Memory, SignalMemory};
pub use reading::{Reading, Unknown};
