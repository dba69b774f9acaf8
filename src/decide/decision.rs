//! What one tick concluded.

use serde::{Deserialize, Serialize};

use crate::policy::LevelNumber;
use crate::time::Time;

/// What one tick concluded. Small and `Copy`: sentences are rendered from it on demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The tick.
    pub at: Time,
    /// The level decided on.
    pub level: LevelNumber,
    /// The level to apply, after `maxLevel`, pin and mode. 0 under `DryRun`.
    pub applied: LevelNumber,
    /// The change of level at this tick, if there was one.
    pub transition: Option<Transition>,
    /// Why the level is what it is now.
    pub reason: Reason,
    /// While blind: the first blind signal in written order, one that names no feature before one that does.
    pub blind: Option<usize>,
    /// Whether recovery is held by flap damping.
    pub flapping: bool,
    /// What keeps a level above Normal from being taken back at this tick; the first that holds.
    pub blocker: Option<Blocker>,
    /// When the decision could next change if all readings stay as they are.
    pub next_change: Option<Time>,
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// The level before.
    pub from: LevelNumber,
    /// The level after.
    pub to: LevelNumber,
    /// Escalated, Blind or Recovered.
    pub reason: Reason,
    /// Escalated: the first firing comparison, in written order, of the rung reached.
    pub cause: Option<Cause>,
    /// The signal of the cause; when Blind the first blind signal that names no feature.
    pub signal: Option<usize>,
    /// Whether it counts as a flap.
    pub flap: bool,
}

/// The comparison that fired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cause {
    /// The level whose rung it belongs to.
    pub level: LevelNumber,
    /// Its index in that rung's `when`.
    pub comparison: usize,
    /// The reading that breached it.
    pub value: f64,
}

/// Why a level is what it is: the machine's word. At a tick with a transition it is the transition's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Nothing is wrong: level 0.
    Normal,
    /// A rung fired.
    Escalated,
    /// Blindness fired `missing.then`.
    Blind,
    /// One rung was taken back.
    Recovered,
    /// Above Normal, and something still keeps it there.
    Holding,
}

/// What keeps a level from being taken back, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blocker {
    /// The policy is blind.
    Blind {
        /// The first blind signal.
        signal: usize,
    },
    /// A rung has not been clear for long enough.
    NotClear {
        /// The rung's level.
        level: LevelNumber,
        /// The comparison, as an index in that rung's `when`, that has furthest to go.
        comparison: usize,
        /// When it will have been clear for long enough if it stays clear; `None` where it is not clear now.
        until: Option<Time>,
    },
    /// The level has not stood for long enough.
    Standing {
        /// When it will have.
        until: Time,
    },
    /// The policy was blind too recently.
    BlindBefore {
        /// When that is long enough ago.
        until: Time,
    },
    /// Flap damping holds recovery.
    Damped {
        /// When it lets go.
        until: Time,
    },
}
