//! What this process has written to workloads and autoscalers, as it wrote it.

use crate::plan::Bounds;

/// A number that this process wrote to a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The version that the write made.
    pub resource_version: String,
    /// The number.
    pub replicas: i32,
}

/// How this process set an autoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetAutoscaler {
    /// The bounds of a `HorizontalPodAutoscaler`.
    Bounds {
        /// Its name.
        name: String,
        /// The version that the write made.
        resource_version: String,
        /// The bounds.
        bounds: Bounds,
    },
    /// The pause of KEDA's `ScaledObject`.
    Paused {
        /// Its name.
        name: String,
        /// The annotation; `None` where it was taken off.
        at: Option<String>,
    },
}
