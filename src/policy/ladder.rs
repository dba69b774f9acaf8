//! The ladder folded: what each feature is at each level.

use super::{Feature, State, Tier, Values};

/// What each feature is at each level, as `states[level][feature]` with levels 0 to `rungs.len()`.
///
/// `rungs[r][f]` is the state that rung r gives feature f, if it gives one. A level includes all the
/// rungs below it, and a feature's state is the most degraded of theirs, so more level never means
/// more features. Critical features are always enabled; a plain boolean knows no Reduced, so that
/// leaves it as it is.
pub fn fold_states(rungs: &[Vec<Option<State>>], features: &[Feature]) -> Vec<Vec<State>> {
    let mut states = vec![vec![State::Enabled; features.len()]];
    for rung in rungs {
        let below = states.last().cloned().unwrap_or_default();
        let given = rung.iter().copied().chain(std::iter::repeat(None));
        let level = below.into_iter().zip(features).zip(given);
        states.push(
            level
                .map(|((before, feature), given)| fold(before, feature, given))
                .collect(),
        );
    }
    states
}

fn fold(before: State, feature: &Feature, given: Option<State>) -> State {
    match given {
        _ if feature.tier == Tier::Critical => State::Enabled,
        Some(State::Reduced) if feature.values == Values::Boolean => before,
        Some(state) => before.max(state),
        None => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Disabled, Enabled, Reduced};

    fn feature(tier: Tier, values: Values) -> Feature {
        Feature {
            name: "f".into(),
            tier,
            values,
        }
    }

    /// One feature over three rungs.
    fn folded(tier: Tier, values: Values, rungs: [Option<State>; 3]) -> Vec<State> {
        let rungs: Vec<_> = rungs.into_iter().map(|state| vec![state]).collect();
        let states = fold_states(&rungs, &[feature(tier, values)]);
        states.into_iter().map(|level| level[0]).collect()
    }

    #[test]
    fn a_feature_is_what_its_most_degraded_rung_says() {
        let three = || Values::Integers {
            enabled: 2,
            reduced: 1,
            disabled: 0,
        };
        for (tier, values, rungs, expected) in [
            (
                Tier::Luxury,
                Values::Boolean,
                [Some(Disabled), None, None],
                [Enabled, Disabled, Disabled, Disabled],
            ),
            (
                Tier::Important,
                three(),
                [Some(Disabled), Some(Reduced), Some(Enabled)],
                [Enabled, Disabled, Disabled, Disabled],
            ),
            (
                Tier::Important,
                three(),
                [None, Some(Reduced), Some(Disabled)],
                [Enabled, Enabled, Reduced, Disabled],
            ),
            (
                Tier::Important,
                Values::Boolean,
                [Some(Reduced), Some(Disabled), Some(Reduced)],
                [Enabled, Enabled, Disabled, Disabled],
            ),
            (
                Tier::Critical,
                three(),
                [Some(Disabled), Some(Reduced), None],
                [Enabled; 4],
            ),
        ] {
            assert_eq!(
                folded(tier, values.clone(), rungs),
                expected,
                "{tier:?} {values:?} {rungs:?}"
            );
        }
    }

    #[test]
    fn without_rungs_there_is_normal_alone() {
        let features = [feature(Tier::Luxury, Values::Boolean)];
        assert_eq!(fold_states(&[], &features), [[Enabled]]);
        assert_eq!(fold_states(&[vec![]], &features), [[Enabled], [Enabled]]);
    }
}
