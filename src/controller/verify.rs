//! A second look before a number is taken for a baseline for good.

use super::context::Context;
use super::error::ApiError;
use super::{autoscalers, words, workloads};
use crate::plan::{Baseline, Kept, Plan, Write};
use crate::prometheus::poller::PolicyKey;

/// Sees to it that the baselines a plan would record are those of now, and takes out of the plan what is
/// not sure to be; the error is for trying again. Where the plan writes the workload, its version fences
/// that; where the number is right already nothing would, and the watch may be behind another policy that
/// is just restoring it.
pub async fn new_baselines(
    context: &Context,
    key: &PolicyKey,
    plan: &mut Plan,
) -> Option<ApiError> {
    let known = context
        .standings
        .with(key, |standing| standing.baselines.clone());
    let known = known.unwrap_or_default();
    let is_new = |new: &&Baseline| known.iter().all(|b| b.workload != new.workload);
    let new: Vec<Baseline> = plan.record.iter().filter(is_new).cloned().collect();
    let mut retry = None;
    for baseline in new {
        if let Err((err, what)) = is_of_now(context, key, plan, &baseline).await {
            tracing::warn!(error = %err, what, "a baseline cannot be kept yet");
            retry = retry.or(leave_out(plan, &baseline, err, &what));
        }
    }
    retry
}

/// One target that cannot be looked at stops nothing else. Gives what trying again may cure.
fn leave_out(plan: &mut Plan, baseline: &Baseline, err: ApiError, what: &str) -> Option<ApiError> {
    plan.leave_out(&baseline.workload);
    if !matches!(err, ApiError::Changed) {
        plan.refusals.push(words::unreadable(&err, what));
    }
    // A right is looked at again like all that keeps a policy from being Ready.
    (!matches!(err, ApiError::Forbidden(_))).then_some(err)
}

/// `Changed` where it is not; each failure with what it was about.
async fn is_of_now(
    context: &Context,
    key: &PolicyKey,
    plan: &Plan,
    baseline: &Baseline,
) -> Result<(), (ApiError, String)> {
    let workload = &baseline.workload;
    let writes = || {
        let all = plan.writes.iter();
        all.filter(|write| write.workload() == Some(workload))
    };
    if !writes().any(|write| matches!(write, Write::Scale { .. })) {
        let now = workloads::get(&context.client, &key.namespace, workload).await;
        let same = now.map(|now| now.is_some_and(|now| now.replicas == baseline.replicas));
        certain(same).map_err(|err| (err, format!("{} {}", workload.kind, workload.name)))?;
    }
    if let Some(Kept::Bounds { name, bounds }) = &baseline.autoscaler
        && !writes().any(|write| matches!(write, Write::Bounds { .. }))
    {
        let now = autoscalers::get(&context.client, &key.namespace, name).await;
        let same = now.map(|now| now.is_some_and(|now| now.bounds == *bounds));
        certain(same).map_err(|err| (err, format!("HorizontalPodAutoscaler {name}")))?;
    }
    Ok(())
}

fn certain(same: Result<bool, ApiError>) -> Result<(), ApiError> {
    if same? {
        Ok(())
    } else {
        Err(ApiError::Changed)
    }
}

#[cfg(test)]
mod tests;
