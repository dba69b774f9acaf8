//! The ladder folded: what each feature is at each level.

use super::{Feature, State, Tier, Values};

/// What each feature is at each level: `[level][feature]`, Normal first.
///
/// `rungs[r][f]` is the state that the rung of level `r + 1` gives feature `f`, if any (its own entry
/// over its tier's).
///
/// # Guarantees
///
/// A feature is what the most degraded of all rungs up to the level makes it, so more level never
/// means more features. A Critical feature is always Enabled, and a plain boolean, which knows no
/// Reduced, is left Enabled by it.
pub fn fold_states(rungs: &[Vec<Option<State>>], features: &[Feature]) -> Vec<Vec<State>> {
    let mut states = vec![vec![State::Enabled; features.len()]];
    for rung in rungs {
        let mut at_level = states.last().cloned().unwrap_or_default();
        for ((state, given), feature) in at_level.iter_mut().zip(rung).zip(features) {
            if let Some(given) = given.filter(|&given| knows(feature, given)) {
                *state = given.max(*state);
            }
        }
        states.push(at_level);
    }
    states
}

fn knows(feature: &Feature, state: State) -> bool {
    let boolean = feature.values == Values::Boolean;
    feature.tier != Tier::Critical && !(boolean && state == State::Reduced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(tier: Tier, values: Values) -> Feature {
        Feature {
            name: "f".into(),
            tier,
            values,
        }
    }

    #[test]
    fn each_level_includes_the_rungs_below_it() {
        use State::{Disabled, Enabled, Reduced};
        let integers = Values::Integers {
            enabled: 2,
            reduced: 1,
            disabled: 0,
        };
        let features = [
            feature(Tier::Important, integers.clone()),
            feature(Tier::Important, Values::Boolean),
            feature(Tier::Critical, integers),
        ];
        let rungs = [
            vec![Some(Reduced), Some(Reduced), Some(Disabled)],
            vec![Some(Disabled), Some(Disabled), None],
            vec![Some(Reduced), Some(Enabled), None],
        ];
        let disabled = vec![Disabled, Disabled, Enabled];
        assert_eq!(
            fold_states(&rungs, &features),
            [
                vec![Enabled; 3],
                vec![Reduced, Enabled, Enabled],
                disabled.clone(),
                disabled
            ]
        );
    }
}
