//! Did the bot do what it was to do?

use brownout::policy::State;

use super::changes::{Change, relief};
use super::figures::{Figures, short};
use super::record::Record;
use super::story::Kind;
use super::watch::{BotStatus, Replicas};

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
    let off = |status: &BotStatus| status.state("animations") == State::Disabled;
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
        .then(|| format!("in the end the bot was at level {name} instead of Normal"))
}

fn restored(baseline: &Replicas, replicas: &Replicas) -> Option<String> {
    let (name, left) = replicas
        .iter()
        .find(|(name, count)| baseline.get(*name) != Some(count))?;
    let had = baseline.get(name).copied().flatten();
    Some(format!(
        "{name} had {had:?} replicas and was left with {left:?}"
    ))
}
