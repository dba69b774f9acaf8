//! A spec understood, or every violation in it. The API server checks nearly all of this as well;
//! it is checked again since an older definition or a file may have let it pass.

mod comparisons;
mod features;
mod findings;
mod levels;
mod signals;

pub use findings::Violation;
use findings::{Findings, quoted};

use super::ladder::fold_states;
use super::{Level, LevelNumber, Missing, Policy, Recovery};
use crate::api::{BotDegradationPolicySpec, HOLD};
use crate::time::Span;

/// The validated policy of a spec, or every violation with its field.
///
/// `namespace` and `name` are the object's; the namespace may be empty where a file names none.
/// Queries and matchers are not parsed here, and nothing is looked up.
pub fn from_spec(
    namespace: &str,
    name: &str,
    spec: &BotDegradationPolicySpec,
) -> Result<Policy, Vec<Violation>> {
    let mut found = Findings::default();
    found.require(
        name.len() <= 63,
        "metadata.name",
        "must have at most 63 characters, since it becomes a label value: write a shorter name",
    );
    let interval = found.duration("spec.interval", &spec.interval, ("1s", "10m"));
    found.object("spec.source", &spec.source);
    let features = features::features(spec, &mut found);
    let signals = signals::signals(spec, &features, &mut found);
    let recovery = recovery(spec, &mut found);
    let known = (signals.as_slice(), features.as_slice());
    let (levels, rungs) = levels::levels(spec, known, recovery.tolerance, &mut found);
    let max_level = max_level(spec, &levels, &mut found);
    let missing = missing(spec, &levels, &mut found);
    let config_map = config_map(name, spec, &mut found);
    if !found.0.is_empty() {
        return Err(found.0);
    }
    Ok(Policy {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        mode: spec.mode,
        interval,
        source: spec.source.clone(),
        max_level,
        states: fold_states(&rungs, &features),
        signals,
        features,
        levels,
        recovery,
        missing,
        config_map,
    })
}

/// What is left of a spec that cannot be understood, for handing back what was done under an earlier
/// one: its features at Normal and its `ConfigMap`, no signal and no ladder.
pub fn remains(namespace: &str, name: &str, spec: &BotDegradationPolicySpec) -> Policy {
    let mut ignored = Findings::default();
    let features = features::features(spec, &mut ignored);
    Policy {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        mode: spec.mode,
        interval: Span::from_secs(1),
        source: spec.source.clone(),
        max_level: None,
        states: fold_states(&[], &features),
        signals: Vec::new(),
        features,
        levels: Vec::new(),
        recovery: Recovery {
            after: Span::ZERO,
            tolerance: 0.0,
        },
        missing: Missing {
            after: Span::ZERO,
            then: None,
        },
        config_map: config_map(name, spec, &mut ignored),
    }
}

fn recovery(spec: &BotDegradationPolicySpec, found: &mut Findings) -> Recovery {
    let percent = levels::percent(&spec.recovery.tolerance, 2).filter(|&p| p <= 90);
    found.require(
        percent.is_some(),
        "spec.recovery.tolerance",
        format!(
            "must be a whole percentage from 0% to 90%, such as 10%, not {}",
            quoted(&spec.recovery.tolerance)
        ),
    );
    Recovery {
        after: found.duration("spec.recovery.after", &spec.recovery.after, ("1s", "24h")),
        tolerance: f64::from(percent.unwrap_or_default()) / 100.0,
    }
}

fn missing(spec: &BotDegradationPolicySpec, levels: &[Level], found: &mut Findings) -> Missing {
    let field = "spec.missing.then";
    let then = (spec.missing.then != HOLD).then(|| {
        level(levels, &spec.missing.then).unwrap_or_else(|| {
            found.add(field, "must be Hold or the name of one of spec.levels");
            0
        })
    });
    Missing {
        after: found.duration("spec.missing.after", &spec.missing.after, ("1s", "24h")),
        then,
    }
}

fn max_level(
    spec: &BotDegradationPolicySpec,
    levels: &[Level],
    found: &mut Findings,
) -> Option<LevelNumber> {
    let name = spec.max_level.as_deref()?;
    let level = level(levels, name);
    found.require(
        level.is_some(),
        "spec.maxLevel",
        "must be the name of one of spec.levels; to apply nothing at all write mode: DryRun",
    );
    level
}

fn level(levels: &[Level], name: &str) -> Option<LevelNumber> {
    levels
        .iter()
        .position(|level| level.name == name)
        .map(|i| i + 1)
}

fn config_map(name: &str, spec: &BotDegradationPolicySpec, found: &mut Findings) -> String {
    match spec
        .flags
        .as_ref()
        .and_then(|flags| flags.config_map.as_ref())
    {
        Some(config_map) => {
            found.object("spec.flags.configMap", config_map);
            config_map.clone()
        }
        None => format!("{name}-flags"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn features_and_config_map_remain_of_a_spec_that_cannot_be_understood() {
        let spec: BotDegradationPolicySpec = serde_json::from_value(json!({
            "interval": "never",
            "signals": [],
            "flags": {"configMap": "theirs"},
            "features": [{"name": "animations", "tier": "Luxury"}],
            "levels": [{"name": "Hold", "when": {}}],
        }))
        .unwrap();
        assert!(from_spec("bots", "bot", &spec).is_err());
        let policy = remains("bots", "bot", &spec);
        assert_eq!(policy.config_map, "theirs");
        assert_eq!(policy.features[0].name, "animations");
        assert_eq!(policy.top(), 0);
        assert_eq!(policy.states.len(), 1, "Normal has its states");
    }
}
