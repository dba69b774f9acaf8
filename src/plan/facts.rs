//! Workloads as a plan is told of them.

use super::autoscaler::{Autoscaling, Kept};
use crate::policy::Workload;
use crate::time::Time;

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
    /// What scales it by itself.
    pub autoscaling: Autoscaling,
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

/// Who owns a field, by `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Our own field manager is among the owners.
    Us,
    /// An autoscaler, by its usual name: nobody's wish, but what its rules give.
    Autoscaler,
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
    /// What scaled it by itself, and how that was set.
    pub autoscaler: Option<Kept>,
    /// When somebody has set it back, the last times within the contest window.
    pub set_backs: Vec<Time>,
    /// The field manager that keeps setting it back, once it is left alone for that.
    pub contested_by: Option<String>,
}

/// A target that somebody has set back, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetBack {
    /// Which.
    pub workload: Workload,
    /// What.
    pub part: Part,
}

/// What can be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The replicas.
    Replicas,
    /// The bounds of the `HorizontalPodAutoscaler`, or the pause of the `ScaledObject`.
    Autoscaler,
}
