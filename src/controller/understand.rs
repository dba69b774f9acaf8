//! A spec as the controller works on it, or everything that is wrong with it. No client required.

use std::sync::Arc;

use kube::ResourceExt;

use crate::api::{BotDegradationPolicy, conditions};
use crate::plan::Refusal;
use crate::policy::{Policy, from_spec};
use crate::prometheus::poller::PolicyKey;
use crate::prometheus::signals::{SignalQueries, signal_queries};
use crate::prometheus::tenancy::Tenant;

/// A spec that was understood.
#[derive(Clone)]
pub struct Understood {
    /// The policy.
    pub policy: Arc<Policy>,
    /// What its signals ask.
    pub queries: Arc<[SignalQueries]>,
    /// Whose series that reads; everybody's where it is nobody.
    pub tenant: Option<Tenant>,
}

/// Understands a spec; its queries read the series of `tenant` only, where there is one.
pub fn understand(
    object: &BotDegradationPolicy,
    tenant: Option<Tenant>,
) -> Result<Understood, Vec<Refusal>> {
    let key = key(object);
    let policy = from_spec(&key.namespace, &key.name, &object.spec).map_err(|violations| {
        let refuse = |v: crate::policy::Violation| Refusal {
            reason: conditions::INVALID_SPEC,
            message: v.to_string(),
        };
        violations.into_iter().map(refuse).collect::<Vec<_>>()
    })?;
    let queries = signal_queries(&policy.signals, tenant.as_ref()).map_err(|refused| {
        let refuse = |q: crate::prometheus::signals::QueryRefused| Refusal {
            reason: conditions::QUERY_REFUSED,
            message: q.to_string(),
        };
        refused.into_iter().map(refuse).collect::<Vec<_>>()
    })?;
    Ok(Understood {
        policy: Arc::new(policy),
        queries: queries.into(),
        tenant,
    })
}

/// A policy's key.
pub fn key(object: &BotDegradationPolicy) -> PolicyKey {
    PolicyKey {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}
