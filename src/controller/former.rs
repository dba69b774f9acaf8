//! A policy whose `spec.flags.configMap` was edited lets go of the one before: published at Normal and
//! without our label, as when the policy is deleted, so that no bot is left with flags that nobody
//! takes back.

use super::apply::{Applied, Applier};
use super::context::Context;
use super::error::ApiError;
use super::observe;
use super::reconcile::published_epoch;
use crate::api::BotDegradationPolicy;
use crate::plan::{Situation, Wanted, plan};
use crate::policy::Policy;

/// Lets go of it, where status tells of one.
pub async fn let_go(
    context: &Context,
    object: &BotDegradationPolicy,
    policy: &Policy,
) -> Result<Applied, ApiError> {
    let Some(former) = former(object, policy) else {
        return Ok(Applied::default());
    };
    let config_map = observe::own_config_map(&context.client, object, former).await?;
    let plan = plan(&Situation {
        policy,
        wanted: Wanted::HandBack,
        config_map: &config_map,
        epoch: published_epoch(object),
        targets: &[],
        baselines: &[],
        now: context.now(),
    });
    let applier = Applier {
        client: &context.client,
        metrics: &context.metrics,
        policy: object,
        config_map: former,
    };
    Ok(applier.apply(&plan.writes).await)
}

fn former<'a>(object: &'a BotDegradationPolicy, policy: &Policy) -> Option<&'a str> {
    let flags = object.status.as_ref()?.flags.as_ref()?;
    let name = flags.config_map.as_str();
    (!name.is_empty() && name != policy.config_map).then_some(name)
}
