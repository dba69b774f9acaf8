//! Did the bot do what it was to do?

use brownout::policy::State;

use super::changes::{Change, relief};
use super::figures::{Figures, short};
use super::record::Record;
use super::story::Kind;
use super::watch::Replicas;
use crate::bot::Status;

/// What must always work may fail this seldom, in percent of those sent.
const LEAST_SUCCESS: f64 = 99.0;

/// Everything that is not as it should be, in words; nothing if all is well.
pub(super) fn shortcomings(
    record: &Record,
    changes: &[Change],
    replicas: &Replicas,
) -> Vec<String> {
    let checks = [
        shed(record),
        kept_commands(record),
        commands_answered(record),
        got_faster(record, changes),
        came_back(record),
        restored(record.baseline(), replicas),
    ];
    checks.into_iter().flatten().collect()
}

fn shed(record: &Record) -> Option<String> {
    let obeyed = record.obeyed();
    let off = |status: &Status| status.state("animations") == State::Disabled;
    let ever = obeyed.iter().any(|seen| off(&seen.status));
    (!ever).then(|| "the bot never shed its animations".to_owned())
}

fn kept_commands(record: &Record) -> Option<String> {
    let obeyed = record.obeyed();
    let less = obeyed
        .iter()
        .find(|seen| seen.status.state("commands") != State::Enabled)?;
    Some(format!(
        "commands were off at level {}",
        less.status.level_name
    ))
}

fn commands_answered(record: &Record) -> Option<String> {
    let all = Figures::of(
        &record.answers(),
        Kind::Command,
        std::time::Duration::ZERO,
        std::time::Duration::MAX,
    );
    let success = all.success();
    (success < LEAST_SUCCESS).then(|| format!("only {success:.1} % of the commands were answered"))
}

fn got_faster(record: &Record, changes: &[Change]) -> Option<String> {
    let relief = relief(record, changes)?; // where nothing was shed, that is told already
    let (before, after) = (relief.before.percentile(95), relief.after.percentile(95));
    match (before, after) {
        (Some(before), Some(after)) if after < before => None,
        (before, after) => Some(format!(
            "shedding did not make commands faster: p95 was {} before and {} after",
            short(before),
            short(after)
        )),
    }
}

fn came_back(record: &Record) -> Option<String> {
    let obeyed = record.obeyed();
    let Some(last) = obeyed.last() else {
        return Some("the bot never said what it obeys".to_owned());
    };
    let all_on = last
        .status
        .features
        .iter()
        .all(|feature| feature.state == State::Enabled);
    let name = &last.status.level_name;
    (last.status.level != 0 || !all_on)
        .then(|| format!("in the end the bot was at {name} instead of Normal"))
}

fn restored(baseline: &Replicas, replicas: &Replicas) -> Option<String> {
    let (name, left) = replicas
        .iter()
        .find(|(name, count)| baseline.get(*name) != Some(count))?;
    let words = |count: Option<i32>| count.map_or_else(|| "no".to_owned(), |n| n.to_string());
    let had = words(baseline.get(name).copied().flatten());
    Some(format!(
        "{name} had {had} replicas and was left with {}",
        words(*left)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bot::Feature;

    fn record(seen: &[(usize, State)]) -> Record {
        let record = Record::begin(Replicas::new());
        for &(level, animations) in seen {
            record.obeys(Status {
                level,
                level_name: format!("level {level}"),
                epoch: None,
                features: [("commands", State::Enabled), ("animations", animations)]
                    .map(|(name, state)| Feature {
                        name: name.to_owned(),
                        state,
                    })
                    .into(),
            });
        }
        record
    }

    fn judged(record: &Record) -> Vec<String> {
        shortcomings(record, &[], &Replicas::new())
    }

    #[test]
    fn shedding_and_coming_back_is_as_it_should_be() {
        let (on, off) = (State::Enabled, State::Disabled);
        assert!(judged(&record(&[(0, on), (1, off), (0, on)])).is_empty());
    }

    #[test]
    fn a_bot_that_shed_nothing_or_stayed_degraded_is_told() {
        let never = judged(&record(&[(0, State::Enabled)]));
        assert_eq!(never, ["the bot never shed its animations"]);
        let stuck = judged(&record(&[(1, State::Disabled)]));
        assert_eq!(
            stuck,
            ["in the end the bot was at level 1 instead of Normal"]
        );
    }

    #[test]
    fn workers_that_were_not_given_back_are_told() {
        let count = |count| Replicas::from([("worker".to_owned(), Some(count))]);
        assert!(restored(&count(2), &count(2)).is_none());
        let told = restored(&count(2), &count(0)).unwrap();
        assert!(told.contains("worker had 2 replicas"), "{told}");
    }
}
