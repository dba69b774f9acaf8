//! What the tests of faults, restarts and a person's hand share.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use brownout::api::{BotDegradationPolicy, BotDegradationPolicyStatus, HistoryEntry};
use brownout::time::Time;
use e2e::harness::Ctx;
use e2e::operator::Operator;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::Value;

/// Long enough on a busy machine, and only waited for in full by a test that fails.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// The interval of every policy here, in milliseconds.
pub(crate) const INTERVAL: i64 = 1000;

pub(crate) async fn policy(ctx: &Ctx, name: &str) -> Result<BotDegradationPolicy> {
    Ok(ctx.api::<BotDegradationPolicy>().get(name).await?)
}

/// Waits until a policy's status is as wanted, and gives it.
pub(crate) async fn await_status(
    ctx: &Ctx,
    name: &str,
    what: &str,
    wanted: impl Fn(&BotDegradationPolicyStatus) -> bool,
) -> Result<BotDegradationPolicyStatus> {
    let wanted = &wanted;
    await_condition(&format!("{name}: {what}"), SOON, || async {
        let status = policy(ctx, name).await?.status.unwrap_or_default();
        Ok(wanted(&status).then_some(status))
    })
    .await
}

pub(crate) async fn await_level(
    ctx: &Ctx,
    name: &str,
    level: i32,
) -> Result<BotDegradationPolicyStatus> {
    let what = format!("level {level}");
    // The level is in status before it is carried out; the condition says that it has been.
    let carried_out = format!("level {level} ");
    await_status(ctx, name, &what, |status| {
        let degraded = condition(status, brownout::api::conditions::DEGRADED);
        status.level == level && degraded.is_some_and(|c| c.message.starts_with(&carried_out))
    })
    .await
}

/// Waits until a condition has a status and a reason.
pub(crate) async fn await_reason(
    ctx: &Ctx,
    name: &str,
    kind: &str,
    (status, reason): (&str, &str),
) -> Result<BotDegradationPolicyStatus> {
    let what = format!("{kind} to be {status} ({reason})");
    await_status(ctx, name, &what, |of| {
        condition(of, kind).is_some_and(|c| c.status == status && c.reason == reason)
    })
    .await
}

pub(crate) fn condition<'a>(
    status: &'a BotDegradationPolicyStatus,
    kind: &str,
) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == kind)
}

/// A history entry's time in milliseconds.
pub(crate) fn at(entry: &HistoryEntry) -> i64 {
    Time::from(entry.at).as_millis()
}

/// A policy's live JSON; an error before it stands somewhere.
pub(crate) async fn live(operator: &Operator, name: &str) -> Result<Value> {
    let mut all = operator.policies().await?;
    let all = all["policies"].as_array_mut().context("no policies")?;
    let found = all.iter_mut().find(|policy| policy["name"] == name);
    Ok(found.with_context(|| format!("no policy {name}"))?.take())
}

/// Waits until a policy's live JSON is as wanted, and gives it.
pub(crate) async fn await_live(
    operator: &Operator,
    name: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let wanted = &wanted;
    await_condition(&format!("{name}: {what}"), SOON, || async {
        let policy = live(operator, name).await?;
        Ok(wanted(&policy).then_some(policy))
    })
    .await
}

/// When a live policy was last decided on, in milliseconds.
pub(crate) fn evaluated_at(live: &Value) -> Option<i64> {
    millis(&live["evaluatedAt"])
}

/// A time of the live JSON in milliseconds.
pub(crate) fn millis(time: &Value) -> Option<i64> {
    Some(
        time.as_str()?
            .parse::<jiff::Timestamp>()
            .ok()?
            .as_millisecond(),
    )
}

/// Waits until a policy has been decided on at or after a time, and gives that live JSON.
pub(crate) async fn await_tick(operator: &Operator, name: &str, since: i64) -> Result<Value> {
    await_live(operator, name, "a later tick", |live| {
        evaluated_at(live).is_some_and(|at| at >= since)
    })
    .await
}

/// Waits for a number of ticks from now on.
pub(crate) async fn await_ticks(operator: &Operator, name: &str, count: i64) -> Result<Value> {
    let now = await_live(operator, name, "a tick", |live| {
        evaluated_at(live).is_some()
    })
    .await?;
    let now = evaluated_at(&now).unwrap_or_default();
    await_tick(operator, name, now + count * INTERVAL).await
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

pub(crate) async fn patch(ctx: &Ctx, name: &str, patch: Value) -> Result<()> {
    let api = ctx.api::<BotDegradationPolicy>();
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// What a user sees of a policy: its own object, its flags, its Events.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    policy: (Option<String>, Value),
    flags: (Option<String>, Value),
    events: Vec<(String, Option<String>, Option<i32>)>,
}

impl Seen {
    /// Whether only the policy's own version differs, which any edit by hand moves.
    pub(crate) fn same_but_for_version(&self, other: &Self) -> bool {
        self.policy.1 == other.policy.1 && self.flags == other.flags && self.events == other.events
    }

    /// Whether an Event with this reason is among them.
    pub(crate) fn has_event(&self, reason: &str) -> bool {
        let mut events = self.events.iter();
        events.any(|(_, of, _)| of.as_deref() == Some(reason))
    }

    /// How often an Event with this reason was published.
    pub(crate) fn times_told(&self, reason: &str) -> i32 {
        let events = self.events.iter();
        let told = events.filter(|(_, of, _)| of.as_deref() == Some(reason));
        told.map(|(_, _, count)| count.unwrap_or(1)).sum()
    }
}

/// Looks at a policy as a user does.
pub(crate) async fn seen(ctx: &Ctx, name: &str) -> Result<Seen> {
    let policy = policy(ctx, name).await?;
    let flags = ctx.api::<ConfigMap>().get(&format!("{name}-flags")).await?;
    let about = ListParams::default();
    let events = ctx.api::<Event>().list(&about).await?.items;
    let ours = events.into_iter().filter(|event| {
        let regarding = event.regarding.as_ref();
        regarding.and_then(|object| object.name.as_deref()) == Some(name)
    });
    let mut events: Vec<_> = ours
        .map(|event| {
            let count = event.series.as_ref().map(|series| series.count);
            (event.name_any(), event.reason, count)
        })
        .collect();
    events.sort();
    Ok(Seen {
        policy: (
            policy.resource_version(),
            serde_json::to_value(&policy.status)?,
        ),
        flags: (flags.resource_version(), serde_json::to_value(&flags.data)?),
        events,
    })
}

/// The value of a feature as the bot reads it.
pub(crate) async fn flag(ctx: &Ctx, policy: &str, feature: &str) -> Result<String> {
    let map = ctx
        .api::<ConfigMap>()
        .get(&format!("{policy}-flags"))
        .await?;
    let value = map.data.and_then(|mut data| data.remove(feature));
    value.with_context(|| format!("no flag {feature}"))
}

/// Holds that a level never fell, but by recoveries at or after a time.
pub(crate) fn never_fell_before(status: &BotDegradationPolicyStatus, time: i64) -> Result<()> {
    for entry in &status.history {
        ensure!(
            entry.to >= entry.from || at(entry) >= time,
            "it fell from {} to {} at {}",
            entry.from,
            entry.to,
            entry.at
        );
    }
    Ok(())
}
