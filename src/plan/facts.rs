//! Workloads as a plan is told of them.

use crate::policy::Workload;

/// A workload as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub workload: Workload,
    /// The object; `None` where there is none.
    pub found: Option<Found>,
    /// The policy that holds it, where that is another one.
    pub held_by: Option<String>,
    /// The number that this process last wrote to it; `None` before the first write.
    pub written: Option<i32>,
    /// How often it has been set back within the contest window, up to the version in `found`.
    pub set_backs: usize,
}

/// A workload that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `spec.replicas`.
    pub replicas: i32,
    /// Who set that number last.
    pub owner: Owner,
}

/// Who owns `spec.replicas`, by `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Our own field manager is among the owners.
    Us,
    /// Somebody else: a field manager's name.
    Other(String),
    /// Nobody: once 0 has been set through the scale subresource, whose type leaves a 0 out, the API
    /// server tracks nobody who writes there, until somebody writes the workload itself.
    Nobody,
}

/// What a workload's replicas were before the policy touched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Which.
    pub workload: Workload,
    /// How many.
    pub replicas: i32,
    /// The number that was last written in its place, or was about to be.
    pub applied: Option<i32>,
    /// The field manager that keeps setting it back, once it is left alone for that.
    pub contested_by: Option<String>,
}

/// A target that somebody has set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetBack {
    /// Which.
    pub workload: Workload,
    /// The version of the object in which it was seen.
    pub resource_version: String,
    /// The field manager.
    pub by: String,
}
