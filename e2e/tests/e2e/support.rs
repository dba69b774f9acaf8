//! What the tests of the whole loop share: a policy in a few lines, and what to wait for.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use brownout::api::{BotDegradationPolicy, BotDegradationPolicyStatus, conditions};
use brownout::flags::{FLAGD_KEY, Flags};
use e2e::exporter::{Exporter, Gauge};
use e2e::harness::Ctx;
use e2e::operator::Operator;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

/// Far longer than anything takes, for a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What the signal of [`PolicyYaml`] measures.
pub(crate) const GAUGE: &str = "bot_queue_depth";

/// Rungs at 200, 400 and 800.
pub(crate) const LADDER: [(&str, &str, &str); 3] = [
    ("shed-luxury", "200", "tiers: {luxury: Disabled}"),
    ("lighten", "400", "tiers: {important: Reduced}"),
    ("critical-only", "800", "tiers: {important: Disabled}"),
];

/// A bot with one gauge, and an operator that looks after its namespace.
pub(crate) struct Scene {
    pub(crate) ctx: Ctx,
    pub(crate) depth: Gauge,
    pub(crate) operator: Operator,
    _bot: Exporter,
}

impl Scene {
    pub(crate) async fn set(ctx: Ctx) -> Result<Self> {
        let bot = ctx.exporter().await?;
        let depth = bot.gauge(GAUGE, &[]);
        let operator = ctx.operator().await?;
        Ok(Self {
            ctx,
            depth,
            operator,
            _bot: bot,
        })
    }
}

/// A policy as YAML: one signal (`backlog`), a feature of each tier, rungs that are added.
pub(crate) struct PolicyYaml {
    name: String,
    job: String,
    rungs: Vec<String>,
    more: Vec<String>,
}

impl PolicyYaml {
    pub(crate) fn new(ctx: &Ctx, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            job: ctx.job().to_owned(),
            rungs: Vec::new(),
            more: Vec::new(),
        }
    }

    /// With the rungs of [`LADDER`].
    pub(crate) fn with_ladder(ctx: &Ctx, name: &str) -> Self {
        LADDER
            .into_iter()
            .fold(Self::new(ctx, name), |policy, (rung, threshold, does)| {
                policy.rung(rung, threshold, does)
            })
    }

    /// A rung that fires at once above a threshold, and a line that says what it does.
    pub(crate) fn rung(self, name: &str, above: &str, does: &str) -> Self {
        self.rung_after(name, above, "0s", does)
    }

    /// A rung that fires after so long above a threshold.
    pub(crate) fn rung_after(mut self, name: &str, above: &str, hold: &str, does: &str) -> Self {
        let when = format!("any: [{{signal: backlog, above: '{above}', for: {hold}}}]");
        self.rungs.push(format!(
            "  - name: {name}\n    when: {{{when}}}\n    {does}\n"
        ));
        self
    }

    /// One more line of `spec`.
    pub(crate) fn spec(mut self, line: &str) -> Self {
        self.more.push(format!("  {line}\n"));
        self
    }
}

impl fmt::Display for PolicyYaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, job, .. } = self;
        let (more, rungs) = (self.more.concat(), self.rungs.concat());
        write!(
            f,
            "apiVersion: brownout.dev/v1alpha1\n\
             kind: BotDegradationPolicy\n\
             metadata: {{name: {name}}}\n\
             spec:\n  \
               interval: 1s\n  \
               signals: [{{name: backlog, query: 'max({GAUGE}{{job=\"{job}\"}})'}}]\n  \
               features:\n  \
               - {{name: animations, tier: Luxury}}\n  \
               - {{name: ai-chat, tier: Important, values: {{enabled: 512, reduced: 96, disabled: 0}}}}\n  \
               - {{name: commands, tier: Critical}}\n  \
               recovery: {{after: 2s}}\n\
             {more}  levels:\n{rungs}"
        )
    }
}

/// A workload that is never run, as YAML.
pub(crate) fn workload(kind: &str, name: &str, replicas: i32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
           selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
             spec: {{containers: [{{name: worker, image: none}}]}}\n"
    )
}

/// Waits for a policy's status to be as wanted.
pub(crate) async fn await_status(
    ctx: &Ctx,
    policy: &str,
    what: &str,
    wanted: impl Fn(&BotDegradationPolicyStatus) -> bool,
) -> Result<BotDegradationPolicyStatus> {
    let policies = ctx.api::<BotDegradationPolicy>();
    await_condition(&format!("{policy}: {what}"), SOON, || async {
        let object = policies.get(policy).await?;
        let generation = object.metadata.generation;
        let status = object.status.unwrap_or_default();
        Ok((status.observed_generation == generation && wanted(&status)).then_some(status))
    })
    .await
}

/// Waits until a policy has applied a level: its flags say so, and its status tells of them.
pub(crate) async fn await_level(
    ctx: &Ctx,
    policy: &str,
    level: i32,
) -> Result<BotDegradationPolicyStatus> {
    let (_, flags) = await_flags(ctx, &format!("{policy}-flags"), level).await?;
    await_status(ctx, policy, &format!("level {level}"), |status| {
        let published = status.flags.as_ref().map_or(0, |published| published.epoch);
        status.level == level && published >= flags.epoch
    })
    .await
}

/// Waits until a policy is Ready.
pub(crate) async fn await_ready(ctx: &Ctx, policy: &str) -> Result<BotDegradationPolicyStatus> {
    await_reason(ctx, policy, conditions::RECONCILED).await
}

/// Waits until the condition Ready of a policy has this reason.
pub(crate) async fn await_reason(
    ctx: &Ctx,
    policy: &str,
    reason: &str,
) -> Result<BotDegradationPolicyStatus> {
    await_status(ctx, policy, reason, |status| {
        conditions::condition(&status.conditions, conditions::READY)
            .is_some_and(|ready| ready.reason == reason)
    })
    .await
}

/// The message of the condition Ready.
pub(crate) fn ready_message(status: &BotDegradationPolicyStatus) -> &str {
    conditions::condition(&status.conditions, conditions::READY)
        .map_or("", |ready| ready.message.as_str())
}

/// Waits until the flags in a `ConfigMap` are of a level.
pub(crate) async fn await_flags(ctx: &Ctx, map: &str, level: i32) -> Result<(ConfigMap, Flags)> {
    let maps = ctx.api::<ConfigMap>();
    await_condition(&format!("{map}: flags of level {level}"), SOON, || async {
        let map = maps.get(map).await?;
        let flags = flags(&map)?;
        Ok((i32::try_from(flags.level)? == level).then_some((map, flags)))
    })
    .await
}

/// The flags that a `ConfigMap` holds; its three forms must say the same.
pub(crate) fn flags(map: &ConfigMap) -> Result<Flags> {
    let data = map.data.as_ref().context("no data")?;
    let flags = Flags::decode(data)?;
    let flagd: serde_json::Value = serde_json::from_str(data.get(FLAGD_KEY).context("no flagd")?)?;
    for (name, flag) in &flags.features {
        let variant = flag.state.to_string().to_lowercase();
        let plain = data.get(name).map(String::as_str);
        if plain != Some(flag.value.to_string().as_str()) {
            bail!(
                "the key {name} is {plain:?}, state.json says {}",
                flag.value
            );
        }
        let shown = &flagd["flags"][name]["defaultVariant"];
        if shown != variant.as_str() {
            bail!("flagd shows {name} as {shown}, state.json as {variant}");
        }
    }
    Ok(flags)
}

/// The text of each feature's key, in the order animations, ai-chat, commands.
pub(crate) fn values(flags: &Flags) -> [String; 3] {
    ["animations", "ai-chat", "commands"].map(|name| {
        let flag = flags.features.get(name);
        flag.map_or_else(String::new, |flag| flag.value.to_string())
    })
}

/// Waits until a Deployment is asked for so many replicas.
pub(crate) async fn await_replicas(ctx: &Ctx, deployment: &str, wanted: i32) -> Result<()> {
    await_condition(
        &format!("{deployment}: {wanted} replicas"),
        SOON,
        || async {
            let now = replicas(ctx, deployment).await?;
            if now != wanted {
                bail!("it has {now}");
            }
            Ok(Some(()))
        },
    )
    .await
}

/// What a Deployment is asked for.
pub(crate) async fn replicas(ctx: &Ctx, deployment: &str) -> Result<i32> {
    let found = ctx.api::<Deployment>().get(deployment).await?;
    found.spec.and_then(|spec| spec.replicas).context("none")
}

/// Waits until a `StatefulSet` is asked for so many replicas.
pub(crate) async fn await_set_replicas(ctx: &Ctx, set: &str, wanted: i32) -> Result<()> {
    let sets = ctx.api::<StatefulSet>();
    await_condition(&format!("{set}: {wanted} replicas"), SOON, || async {
        let now = sets.get(set).await?.spec.and_then(|spec| spec.replicas);
        Ok((now == Some(wanted)).then_some(()))
    })
    .await
}

/// Scales as `kubectl scale` does.
pub(crate) async fn scale_as(ctx: &Ctx, manager: &str, deployment: &str, to: i32) -> Result<()> {
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"replicas": to}}));
    ctx.api::<Deployment>()
        .patch_scale(deployment, &params, &patch)
        .await?;
    Ok(())
}

/// Writes the number into the Deployment itself, as a GitOps tool does.
pub(crate) async fn set_as(ctx: &Ctx, manager: &str, deployment: &str, to: i32) -> Result<()> {
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"replicas": to}}));
    ctx.api::<Deployment>()
        .patch(deployment, &params, &patch)
        .await?;
    Ok(())
}

/// Waits for an Event about a policy with this reason, and gives its note.
pub(crate) async fn await_event(ctx: &Ctx, policy: &str, reason: &str) -> Result<String> {
    let events = ctx.api::<Event>();
    await_condition(
        &format!("an Event {reason} about {policy}"),
        SOON,
        || async {
            let all = events.list(&ListParams::default()).await?;
            let found = all.items.into_iter().find(|event| {
                let about = event.regarding.as_ref().and_then(|it| it.name.as_deref());
                about == Some(policy) && event.reason.as_deref() == Some(reason)
            });
            Ok(found.map(|event| event.note.unwrap_or_default()))
        },
    )
    .await
}

/// Deletes a policy without waiting for its end.
pub(crate) async fn delete_policy(ctx: &Ctx, policy: &str) -> Result<()> {
    ctx.api::<BotDegradationPolicy>()
        .delete(policy, &DeleteParams::default())
        .await?;
    Ok(())
}

/// Waits until there is no such policy.
pub(crate) async fn await_policy_gone(ctx: &Ctx, policy: &str) -> Result<()> {
    let policies = ctx.api::<BotDegradationPolicy>();
    await_condition(&format!("{policy} to be gone"), SOON, || async {
        match policies.get_opt(policy).await? {
            None => Ok(Some(())),
            Some(left) => bail!("it has the finalizers {:?}", left.finalizers()),
        }
    })
    .await
}
