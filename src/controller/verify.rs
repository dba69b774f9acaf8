//! A second look before a number is taken for a baseline for good.

use super::context::Context;
use super::error::ApiError;
use super::workloads;
use crate::plan::{Plan, Write};
use crate::prometheus::poller::PolicyKey;

/// Sees to it that the baselines a plan would record are those of now. Where the plan writes the
/// workload, its version fences that; where the number is right already nothing would, and the watch may
/// be behind another policy that is just restoring it.
pub async fn new_baselines(
    context: &Context,
    key: &PolicyKey,
    plan: &Plan,
) -> Result<(), ApiError> {
    let known = context
        .standings
        .with(key, |standing| standing.baselines.clone());
    let known = known.unwrap_or_default();
    for baseline in &plan.record {
        let is_new = known.iter().all(|b| b.workload != baseline.workload);
        let is_written = plan.writes.iter().any(|write| {
            matches!(write, Write::Scale { workload, .. } if *workload == baseline.workload)
        });
        if !is_new || is_written {
            continue;
        }
        let now = workloads::get(&context.client, &key.namespace, &baseline.workload).await?;
        if now.is_none_or(|now| now.replicas != baseline.replicas) {
            return Err(ApiError::Changed);
        }
    }
    Ok(())
}
