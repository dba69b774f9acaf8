//! Replicas: baselines recorded, levels' numbers written, baselines restored.

use super::{
    Baseline, CONTEST_LIMIT, Found, Owner, Plan, Refusal, SetBack, Situation, Target, Wanted, Write,
};
use crate::policy::{Replicas, Workload};

/// Stands for a field manager that the API server keeps no name of.
const UNNAMED: &str = "unknown";

/// Plans every target; the writes come back, the rest goes into the plan.
pub(super) fn plan(situation: &Situation<'_>, plan: &mut Plan) -> Vec<Write> {
    situation
        .targets
        .iter()
        .filter_map(|target| plan_target(situation, target, plan))
        .collect()
}

fn plan_target(situation: &Situation<'_>, target: &Target, plan: &mut Plan) -> Option<Write> {
    let baseline = situation
        .baselines
        .iter()
        .find(|b| b.workload == target.workload);
    let wanted = match situation.wanted {
        Wanted::Level { level, .. } => situation.policy.replicas_at(level, &target.workload),
        Wanted::HandBack => None,
    };
    if let (Some(holder), Wanted::Level { .. }) = (&target.held_by, situation.wanted) {
        plan.refusals.push(conflict(target, holder));
        return None;
    }
    let Some(found) = &target.found else {
        return plan_absent(situation, target, wanted.and(baseline), plan);
    };
    match (wanted, baseline) {
        (None, None) => None,
        (None, Some(baseline)) => restore(situation, target, found, baseline, plan),
        (Some(replicas), None) => {
            let baseline = Baseline {
                workload: target.workload.clone(),
                replicas: found.replicas,
                applied: None,
                contested_by: None,
            };
            hold(target, found, replicas, baseline, plan)
        }
        (Some(_), Some(baseline)) if baseline.contested_by.is_some() => {
            leave_alone(baseline.clone(), plan);
            None
        }
        (Some(replicas), Some(baseline)) => {
            let baseline =
                with_set_back(situation, target, found, replicas, baseline.clone(), plan)?;
            hold(target, found, replicas, baseline, plan)
        }
    }
}

/// A workload that does not exist is named as soon as the ladder names it, not only in the incident.
fn plan_absent(
    situation: &Situation<'_>,
    target: &Target,
    kept: Option<&Baseline>,
    plan: &mut Plan,
) -> Option<Write> {
    if let Wanted::Level { .. } = situation.wanted {
        let Workload { kind, name } = &target.workload;
        plan.refusals.push(Refusal {
            reason: "TargetNotFound",
            message: format!("there is no {kind} {name} in this namespace: create it, or take it out of spec.levels"),
        });
    }
    if let Some(baseline) = kept {
        plan.record.push(baseline.clone());
        plan.settled.push(baseline.clone());
    }
    None
}

/// Takes a number that somebody else has set meanwhile as the new baseline. `None` once that has
/// happened too often: then the target is left alone.
fn with_set_back(
    situation: &Situation<'_>,
    target: &Target,
    found: &Found,
    replicas: Replicas,
    mut baseline: Baseline,
    plan: &mut Plan,
) -> Option<Baseline> {
    let manager = match &found.owner {
        _ if found.replicas == replicas.of(baseline.replicas) => return Some(baseline),
        _ if ours(situation, target, found, &baseline) => return Some(baseline),
        Owner::Other(manager) => manager.as_str(),
        Owner::Us | Owner::Nobody => UNNAMED,
    };
    baseline.replicas = found.replicas;
    if target.written.is_some() {
        plan.set_backs.push(SetBack {
            workload: target.workload.clone(),
            resource_version: found.resource_version.clone(),
            by: manager.to_owned(),
        });
        if target.set_backs + 1 >= CONTEST_LIMIT {
            baseline.contested_by = Some(manager.to_owned());
            leave_alone(baseline, plan);
            return None;
        }
    }
    Some(baseline)
}

/// Writes the level's number, counted from the baseline, where it is not there already.
fn hold(
    target: &Target,
    found: &Found,
    replicas: Replicas,
    mut baseline: Baseline,
    plan: &mut Plan,
) -> Option<Write> {
    let to = replicas.of(baseline.replicas);
    baseline.applied = Some(to);
    plan.record.push(baseline.clone());
    plan.settled.push(baseline);
    (to != found.replicas).then(|| scale(target, found, to, false))
}

/// Writes the baseline back, unless somebody else has set a number meanwhile: that one stands.
fn restore(
    situation: &Situation<'_>,
    target: &Target,
    found: &Found,
    baseline: &Baseline,
    plan: &mut Plan,
) -> Option<Write> {
    if baseline.contested_by.is_some() {
        // At level 0, and when all is handed back, the contest is over and its baseline forgotten.
        if situation.level() > 0 {
            leave_alone(baseline.clone(), plan);
        }
        return None;
    }
    if found.replicas == baseline.replicas || !ours(situation, target, found, baseline) {
        return None;
    }
    plan.record.push(baseline.clone());
    Some(scale(target, found, baseline.replicas, true))
}

/// Whether the number that is there is one that we set. One that nobody owns is ours where we wrote it
/// or were about to; where a crash came between the two, also where a rung asks for it.
fn ours(situation: &Situation<'_>, target: &Target, found: &Found, baseline: &Baseline) -> bool {
    match found.owner {
        Owner::Us => true,
        Owner::Other(_) => false,
        Owner::Nobody if baseline.applied == Some(found.replicas) => true,
        Owner::Nobody if target.written.is_some() => target.written == Some(found.replicas),
        Owner::Nobody => {
            let rungs = situation.policy.levels.iter();
            rungs.flat_map(|level| &level.scale).any(|t| {
                t.workload == target.workload && t.replicas.of(baseline.replicas) == found.replicas
            })
        }
    }
}

fn scale(target: &Target, found: &Found, to: i32, restore: bool) -> Write {
    Write::Scale {
        workload: target.workload.clone(),
        uid: found.uid.clone(),
        resource_version: found.resource_version.clone(),
        from: found.replicas,
        to,
        restore,
    }
}

fn leave_alone(baseline: Baseline, plan: &mut Plan) {
    let Workload { kind, name } = &baseline.workload;
    let by = match baseline.contested_by.as_deref() {
        None | Some(UNNAMED) => {
            "somebody, whose name the API server does not keep after a scale to 0,".to_owned()
        }
        Some(manager) => format!("the field manager {manager}"),
    };
    plan.refusals.push(Refusal {
        reason: "TargetContested",
        message: format!(
            "{kind} {name} is left alone: {by} keeps setting its replicas back. \
             Let it ignore spec.replicas, or take the target out of spec.levels"
        ),
    });
    plan.record.push(baseline.clone());
    plan.settled.push(baseline);
}

fn conflict(target: &Target, holder: &str) -> Refusal {
    let Workload { kind, name } = &target.workload;
    Refusal {
        reason: "TargetConflict",
        message: format!(
            "{kind} {name} is held by the policy {holder}, which was there first: \
             name it in one policy only"
        ),
    }
}
