//! What a rung asks of workloads: which, and how many replicas.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Replicas that a rung asks of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleTarget {
    /// The workload.
    pub workload: Workload,
    /// How many it should have.
    pub replicas: Replicas,
}

/// A workload in the policy's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// What it is.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
}

/// The kinds of workload that can be scaled.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    #[default]
    Deployment,
    /// `apps/v1` `StatefulSet`.
    StatefulSet,
}

/// How many replicas a rung asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// This many.
    Count(i32),
    /// This share of the baseline, in percent, rounded up.
    Percent(i32),
}

impl Replicas {
    /// The number of replicas, given the baseline's; at most what the API takes.
    pub fn of(self, baseline: i32) -> i32 {
        match self {
            Self::Count(n) => n,
            Self::Percent(percent) => {
                let exact = i64::from(baseline.max(0)) * i64::from(percent.max(0));
                i32::try_from((exact + 99) / 100).unwrap_or(i32::MAX)
            }
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_of_the_baseline_is_rounded_up() {
        for (percent, baseline, replicas) in
            [(150, 2, 3), (150, 3, 5), (50, 1, 1), (0, 7, 0), (100, 0, 0)]
        {
            assert_eq!(
                Replicas::Percent(percent).of(baseline),
                replicas,
                "{percent}% of {baseline}"
            );
        }
    }
}
