//! Each policy's own series: set when something changed, gone when the policy goes.

use super::context::Context;
use super::standing::Standing;
use crate::metrics::PolicyLabels;
use crate::prometheus::poller::PolicyKey;

/// Sets a policy's gauges.
pub fn set(context: &Context, key: &PolicyKey, standing: &Standing, ready: bool) {
    let (metrics, labels, record) = (&context.metrics, labels(key), &standing.record);
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
    metrics.ready.get_or_create(&labels).set(i64::from(ready));
}

/// Says that a policy is not Ready, of which nothing else is known.
pub fn not_ready(context: &Context, key: &PolicyKey) {
    context.metrics.ready.get_or_create(&labels(key)).set(0);
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
