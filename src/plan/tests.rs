//! Every branch of planning as a row, and crashes after every write on a cluster in memory.

mod autoscalers;
mod cluster;
mod crashes;
mod flags;
mod outcome;
mod targets;
