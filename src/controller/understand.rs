//! A spec as the controller works on it, or everything that is wrong with it. No client required.

use std::sync::Arc;

use kube::ResourceExt;

use crate::api::{BotDegradationPolicy, conditions};
use crate::plan::Refusal;
use crate::policy::{Policy, from_spec};
use crate::prometheus::poller::PolicyKey;
use crate::prometheus::signals::{SignalQueries, signal_queries};

/// A spec that was understood.
#[derive(Clone)]
pub struct Understood {
    /// The policy.
    pub policy: Arc<Policy>,
    /// What its signals ask.
    pub queries: Arc<[SignalQueries]>,
}

/// Understands a spec.
pub fn understand(object: &BotDegradationPolicy) -> Result<Understood, Vec<Refusal>> {
    let key = key(object);
    let policy = from_spec(&key.namespace, &key.name, &object.spec).map_err(|violations| {
        let refuse = |v: crate::policy::Violation| Refusal {
            reason: conditions::INVALID_SPEC,
            message: v.to_string(),
        };
        violations.into_iter().map(refuse).collect::<Vec<_>>()
    })?;
    let queries = signal_queries(&policy.signals).map_err(|refused| {
        let refuse = |q: crate::prometheus::signals::QueryRefused| Refusal {
            reason: conditions::QUERY_REFUSED,
            message: q.to_string(),
        };
        refused.into_iter().map(refuse).collect::<Vec<_>>()
    })?;
    Ok(Understood {
        policy: Arc::new(policy),
        queries: queries.into(),
    })
}

/// A policy's key.
pub fn key(object: &BotDegradationPolicy) -> PolicyKey {
    PolicyKey {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}
