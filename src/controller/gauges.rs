//! Each policy's own series: set when something changed, gone when the policy goes.

use super::context::Context;
use super::standing::Standing;
use crate::api::BotDegradationPolicyStatus;
use crate::api::conditions::{READY, condition};
use crate::metrics::{Metrics, PolicyLabels};
use crate::prometheus::poller::PolicyKey;

/// Sets a policy's gauges, with what status says of it.
pub fn set(
    metrics: &Metrics,
    key: &PolicyKey,
    standing: &Standing,
    status: &BotDegradationPolicyStatus,
) {
    let (labels, record) = (labels(key), &standing.record);
    let number = |level: usize| i64::try_from(level).unwrap_or(i64::MAX);
    metrics
        .level
        .get_or_create(&labels)
        .set(number(record.level));
    metrics
        .desired_level
        .get_or_create(&labels)
        .set(number(record.desired));
    metrics
        .blind
        .get_or_create(&labels)
        .set(i64::from(record.blind.is_some()));
    set_ready(metrics, key, status);
}

/// Sets the one of a policy of which nothing else is known: whether it is Ready is what the condition says.
pub fn set_ready(metrics: &Metrics, key: &PolicyKey, status: &BotDegradationPolicyStatus) {
    let ready = condition(&status.conditions, READY).is_some_and(|it| it.status == "True");
    metrics
        .ready
        .get_or_create(&labels(key))
        .set(i64::from(ready));
}

/// Drops them.
pub fn forget(context: &Context, key: &PolicyKey) {
    context.metrics.forget(&labels(key));
}

fn labels(key: &PolicyKey) -> PolicyLabels {
    PolicyLabels {
        namespace: key.namespace.clone(),
        policy: key.name.clone(),
    }
}

#[cfg(test)]
mod tests;
