//! A second look before a number is taken for a baseline for good.

use super::context::Context;
use super::error::ApiError;
use super::{autoscalers, workloads};
use crate::plan::{Kept, Plan, Write};
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
        if known.iter().any(|b| b.workload == baseline.workload) {
            continue;
        }
        let writes = || {
            let all = plan.writes.iter();
            all.filter(|write| write.workload() == Some(&baseline.workload))
        };
        if !writes().any(|write| matches!(write, Write::Scale { .. })) {
            let now = workloads::get(&context.client, &key.namespace, &baseline.workload).await?;
            if now.is_none_or(|now| now.replicas != baseline.replicas) {
                return Err(ApiError::Changed);
            }
        }
        if let Some(Kept::Bounds { name, bounds }) = &baseline.autoscaler
            && !writes().any(|write| matches!(write, Write::Bounds { .. }))
        {
            let now = autoscalers::get(&context.client, &key.namespace, name).await?;
            if now.is_none_or(|now| now.bounds != *bounds) {
                return Err(ApiError::Changed);
            }
        }
    }
    Ok(())
}
