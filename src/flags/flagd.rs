//! `flags.flagd.json`: a flagd v0 definition, which flagd and any `OpenFeature` SDK read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Flag, Flags, Value};
use crate::policy::{Feature, LevelNumber, Policy, State, Tier, Values};

const SCHEMA: &str = "https://flagd.dev/schema/v0/flags.json";

#[derive(Serialize)]
struct Definition<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    metadata: SetMetadata<'a>,
    flags: BTreeMap<&'a str, Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SetMetadata<'a> {
    flag_set_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    /// Always `ENABLED`: flagd's word for "answer with a variant"; `DISABLED` would make readers
    /// fall back to the default in their code, which is the opposite of shedding.
    state: &'static str,
    variants: BTreeMap<&'static str, Value>,
    default_variant: &'static str,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    tier: Tier,
    level: LevelNumber,
    policy: &'a str,
}

pub(super) fn write(flags: &Flags, policy: &Policy) -> String {
    let entries = flags.features.iter().map(|(name, flag)| {
        let feature = policy.features.iter().find(|f| f.name == *name);
        (name.as_str(), entry(flags, flag, feature))
    });
    let definition = Definition {
        schema: SCHEMA,
        metadata: SetMetadata {
            flag_set_id: &flags.policy,
        },
        flags: entries.collect(),
    };
    // strings, integers and string keys: nothing here that JSON cannot hold
    serde_json::to_string(&definition).unwrap_or_default()
}

fn entry<'a>(flags: &'a Flags, flag: &Flag, feature: Option<&Feature>) -> Entry<'a> {
    let present = variant(flag.state);
    Entry {
        state: "ENABLED",
        variants: feature.map_or_else(
            || BTreeMap::from([(present, flag.value.clone())]),
            |feature| variants(&feature.values),
        ),
        default_variant: present,
        metadata: Metadata {
            tier: flag.tier,
            level: flags.level,
            policy: &flags.policy,
        },
    }
}

fn variants(values: &Values) -> BTreeMap<&'static str, Value> {
    [State::Enabled, State::Reduced, State::Disabled]
        .into_iter()
        .filter(|&state| values.representable(state) == state)
        .map(|state| (variant(state), values.value(state)))
        .collect()
}

fn variant(state: State) -> &'static str {
    match state {
        State::Enabled => "enabled",
        State::Reduced => "reduced",
        State::Disabled => "disabled",
    }
}
