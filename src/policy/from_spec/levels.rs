//! `spec.levels`: the rungs, what fires them and what they do.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::comparisons::when;
use super::features::index_of;
use super::findings::{Findings, quoted};
use crate::api::{BotDegradationPolicySpec, LevelSpec, ScaleSpec};
use crate::policy::{Feature, Level, Replicas, ScaleTarget, Signal, State, Tier, Values, Workload};

/// The state that each rung gives each feature, if it gives one.
pub(super) type Rungs = Vec<Vec<Option<State>>>;

pub(super) fn levels(
    spec: &BotDegradationPolicySpec,
    (signals, features): (&[Signal], &[Feature]),
    tolerance: f64,
    found: &mut Findings,
) -> (Vec<Level>, Rungs) {
    found.count("spec.levels", spec.levels.len(), 1, 8);
    let (mut levels, mut rungs): (Vec<Level>, Rungs) = (Vec::new(), Vec::new());
    for (i, level) in spec.levels.iter().enumerate() {
        let at = format!("spec.levels[{i}]");
        level_name(&format!("{at}.name"), &level.name, &levels, found);
        found.require(
            level.tiers.is_some() || level.features.is_some() || level.scale.is_some(),
            &at,
            "a level must do something: write at least one of tiers, features, scale",
        );
        rungs.push(rung(&at, level, features, found));
        levels.push(Level {
            name: level.name.clone(),
            when: when(
                &format!("{at}.when"),
                &level.when,
                signals,
                tolerance,
                found,
            ),
            scale: scale(&format!("{at}.scale"), level.scale.as_deref(), found),
        });
    }
    (levels, rungs)
}

fn level_name(field: &str, name: &str, before: &[Level], found: &mut Findings) {
    found.name(field, name);
    found.require(
        !["normal", "hold"].contains(&name.to_ascii_lowercase().as_str()),
        field,
        "must not be Normal or Hold, in any case: these are reserved; choose another name",
    );
    found.require(
        before.iter().all(|level| level.name != name),
        field,
        format!("{name} is defined twice; give each level a name of its own"),
    );
}

/// What a rung gives each feature: its own entry stands over its tier's.
fn rung(
    at: &str,
    level: &LevelSpec,
    features: &[Feature],
    found: &mut Findings,
) -> Vec<Option<State>> {
    let tiers = level.tiers.clone().unwrap_or_default();
    found.require(
        level.tiers.is_none() || tiers.important.is_some() || tiers.luxury.is_some(),
        &format!("{at}.tiers"),
        "must set important or luxury",
    );
    let mut states: Vec<Option<State>> = features
        .iter()
        .map(|feature| match feature.tier {
            Tier::Critical => None,
            Tier::Important => tiers.important,
            Tier::Luxury => tiers.luxury,
        })
        .collect();
    if let Some(named) = &level.features {
        found.count(&format!("{at}.features"), named.len(), 1, 128);
        for (name, &state) in named {
            let field = format!("{at}.features.{name}");
            if let Some(index) = nameable(&field, name, state, features, found) {
                states[index] = Some(state);
            }
        }
    }
    states
}

/// The feature that a rung names, where it may name it.
fn nameable(
    field: &str,
    name: &str,
    state: State,
    features: &[Feature],
    found: &mut Findings,
) -> Option<usize> {
    let Some(index) = index_of(features, name) else {
        found.add(
            field,
            format!(
                "{} is no feature; write the name of one of spec.features",
                quoted(name)
            ),
        );
        return None;
    };
    let feature = &features[index];
    found.require(
        feature.tier != Tier::Critical,
        field,
        format!("{name} is Critical and always enabled; remove it"),
    );
    found.require(
        state != State::Reduced || feature.values != Values::Boolean,
        field,
        format!("{name} is a plain boolean and knows no Reduced; write Disabled, or give the feature values"),
    );
    Some(index)
}

fn scale(at: &str, targets: Option<&[ScaleSpec]>, found: &mut Findings) -> Vec<ScaleTarget> {
    let Some(targets) = targets else {
        return Vec::new();
    };
    found.count(at, targets.len(), 1, 16);
    let mut read: Vec<ScaleTarget> = Vec::new();
    for (i, target) in targets.iter().enumerate() {
        let at = format!("{at}[{i}]");
        found.object(&format!("{at}.name"), &target.name);
        let workload = Workload {
            kind: target.kind,
            name: target.name.clone(),
        };
        found.require(
            read.iter().all(|t| t.workload != workload),
            &at,
            format!(
                "{} {} is named twice in one level; keep one of them",
                target.kind, target.name
            ),
        );
        read.push(ScaleTarget {
            workload,
            replicas: replicas(&format!("{at}.replicas"), &target.replicas, found),
        });
    }
    read
}

fn replicas(field: &str, replicas: &IntOrString, found: &mut Findings) -> Replicas {
    let read = match replicas {
        IntOrString::Int(n) => (0..=10_000).contains(n).then_some(Replicas::Count(*n)),
        IntOrString::String(text) => percent(text, 4).map(Replicas::Percent),
    };
    read.unwrap_or_else(|| {
        found.add(field, "must be a number from 0 to 10000, such as 3, or a percentage of the baseline in quotes, such as \"150%\"");
        Replicas::Count(0)
    })
}

/// A whole percentage of at most so many digits.
pub(super) fn percent(text: &str, digits: usize) -> Option<i32> {
    let number = text.strip_suffix('%')?;
    let plain = (1..=digits).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|_| plain)
}
