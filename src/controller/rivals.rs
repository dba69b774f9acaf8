//! Two policies may name one target or one flags `ConfigMap`: who holds it. Pure.

use kube::ResourceExt;

use crate::api::BotDegradationPolicy;
use crate::policy::{Mode, Workload};

/// The name of a policy's flags `ConfigMap`.
pub fn config_map_of(policy: &BotDegradationPolicy) -> String {
    let named = policy
        .spec
        .flags
        .as_ref()
        .and_then(|flags| flags.config_map.clone());
    named.unwrap_or_else(|| format!("{}-flags", policy.name_any()))
}

/// The policy that holds a workload, where that is not `me`. One with a baseline of it holds it, so
/// that nobody takes a number in mid-incident for a baseline; else the older one.
pub fn holder_of_target<'a>(
    me: &BotDegradationPolicy,
    others: impl Iterator<Item = &'a BotDegradationPolicy>,
    workload: &Workload,
) -> Option<String> {
    let mine = (!has_baseline(me, workload), age(me));
    others
        .filter(|other| other.uid() != me.uid() && acts(other))
        .filter(|other| names(other, workload) || has_baseline(other, workload))
        .map(|other| ((!has_baseline(other, workload), age(other)), other))
        .filter(|(rank, _)| *rank < mine)
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, other)| other.name_any())
}

/// Whether another policy names a workload too, or holds a baseline of it, whoever holds the workload.
pub fn others_name(
    me: &BotDegradationPolicy,
    others: &[&BotDegradationPolicy],
    workload: &Workload,
) -> bool {
    let mut others = others.iter().filter(|other| other.uid() != me.uid());
    others.any(|other| names(other, workload) || has_baseline(other, workload))
}

/// The policy that holds the flags `ConfigMap` of `me`, where that is another one. The one whose
/// label it bears holds it; else the older one.
pub fn holder_of_config_map<'a>(
    me: &BotDegradationPolicy,
    others: impl Iterator<Item = &'a BotDegradationPolicy>,
    labelled: Option<&str>,
) -> Option<String> {
    let name = config_map_of(me);
    let rank =
        |policy: &BotDegradationPolicy| (Some(policy.name_any().as_str()) != labelled, age(policy));
    let mine = rank(me);
    others
        .filter(|other| other.uid() != me.uid() && acts(other) && config_map_of(other) == name)
        .map(|other| (rank(other), other))
        .filter(|(rank, _)| *rank < mine)
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, other)| other.name_any())
}

/// A policy that applies nothing holds nothing, once it has handed back what it held.
fn acts(policy: &BotDegradationPolicy) -> bool {
    policy.spec.mode != Mode::DryRun
        || policy
            .status
            .as_ref()
            .is_some_and(|status| !status.baseline.is_empty())
}

fn names(policy: &BotDegradationPolicy, workload: &Workload) -> bool {
    let targets = policy
        .spec
        .levels
        .iter()
        .filter_map(|level| level.scale.as_ref())
        .flatten();
    targets
        .into_iter()
        .any(|target| target.kind == workload.kind && target.name == workload.name)
}

fn has_baseline(policy: &BotDegradationPolicy, workload: &Workload) -> bool {
    let baselines = policy.status.iter().flat_map(|status| &status.baseline);
    baselines
        .into_iter()
        .any(|b| b.kind == workload.kind && b.name == workload.name)
}

fn age(policy: &BotDegradationPolicy) -> (Option<jiff::Timestamp>, String) {
    (
        policy.creation_timestamp().map(|time| time.0),
        policy.name_any(),
    )
}

#[cfg(test)]
mod tests;
