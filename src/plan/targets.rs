//! Replicas: baselines recorded, levels' numbers written, baselines restored. Where something scales a
//! workload by itself, that is set for the number too.

use super::autoscaler::{self, Holder, UNNAMED};
use super::{
    Baseline, Bounds, CONTEST_LIMIT, CONTEST_WINDOW_SECS, Found, Kept, Owner, Part, Plan, Refusal,
    SetBack, Situation, Target, Wanted, Write, reasons,
};
use crate::policy::{Replicas, Workload};
use crate::time::Span;

/// Stands for Kubernetes' `HorizontalPodAutoscaler`s as a field manager.
const AUTOSCALER: &str = "kube-controller-manager";

/// Plans every target; the writes come back, the rest goes into the plan.
pub(super) fn plan(situation: &Situation<'_>, plan: &mut Plan) -> Vec<Write> {
    let targets = situation.targets.iter();
    targets
        .flat_map(|target| plan_target(situation, target, plan))
        .collect()
}

fn plan_target(situation: &Situation<'_>, target: &Target, plan: &mut Plan) -> Vec<Write> {
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
        return Vec::new();
    }
    let Some(found) = &target.found else {
        return plan_absent(situation, target, wanted.is_some(), baseline, plan);
    };
    let unclear = matches!(target.autoscaling.holder(), Holder::Unclear);
    if let (true, Wanted::Level { .. }) = (unclear, situation.wanted) {
        plan.refusals.push(self::unclear(target));
    }
    match (wanted, baseline) {
        (None, None) => Vec::new(),
        (None, Some(baseline)) => restore(situation, target, found, baseline, plan),
        (Some(_), Some(baseline)) if baseline.contested_by.is_some() => {
            leave_alone(situation, target, baseline, plan)
        }
        (Some(_), baseline) if unclear => {
            plan.keep(baseline);
            Vec::new()
        }
        (Some(replicas), baseline) => {
            let new = || Baseline {
                workload: target.workload.clone(),
                replicas: found.replicas,
                applied: None,
                autoscaler: None,
                set_backs: Vec::new(),
                contested_by: None,
            };
            let baseline = baseline.cloned().unwrap_or_else(new);
            hold(situation, target, found, replicas, baseline, plan)
        }
    }
}

/// A workload that does not exist is named as soon as the ladder names it, not only in the incident.
fn plan_absent(
    situation: &Situation<'_>,
    target: &Target,
    held: bool,
    baseline: Option<&Baseline>,
    plan: &mut Plan,
) -> Vec<Write> {
    if let Wanted::Level { .. } = situation.wanted {
        let Workload { kind, name } = &target.workload;
        plan.refusals.push(Refusal {
            reason: reasons::TARGET_NOT_FOUND,
            message: format!("there is no {kind} {name} in this namespace: create it, or take it out of spec.levels"),
        });
    }
    let Some(baseline) = baseline else {
        return Vec::new();
    };
    if held {
        plan.keep(Some(baseline));
        return Vec::new();
    }
    // Its autoscaler may have outlived it.
    let numbers = numbers(situation, target, baseline);
    let back = autoscaler::give_back(target, baseline, &numbers);
    if back.is_some() {
        plan.record.push(baseline.clone());
    }
    back.into_iter().collect()
}

/// Writes the level's number, counted from the baseline, where it is not there already. What somebody
/// else has set meanwhile is the new baseline; once that has happened too often, the target is left alone.
fn hold(
    situation: &Situation<'_>,
    target: &Target,
    found: &Found,
    replicas: Replicas,
    mut baseline: Baseline,
    plan: &mut Plan,
) -> Vec<Write> {
    let all = numbers(situation, target, &baseline);
    if let Some(write) = autoscaler::stray(target, &baseline, &all) {
        // It is forgotten once it has been given back.
        plan.keep(Some(&baseline));
        return vec![write];
    }
    let to = replicas.of(baseline.replicas);
    let had = baseline.autoscaler.is_some();
    let by_itself = autoscaler::chose(target, found, &baseline);
    let by_bounds = autoscaler::keep(target, &mut baseline, to, &all);
    let vanished = had && baseline.autoscaler.is_none() && by_itself;
    let by_number = take_in(situation, target, found, replicas, by_itself, &mut baseline);
    let by_number = by_number.filter(|_| !vanished);
    let parts = [(by_bounds, Part::Autoscaler), (by_number, Part::Replicas)];
    let set_back: Vec<(String, Part)> = parts
        .into_iter()
        .filter_map(|(by, part)| Some((by?, part)))
        .collect();
    if let Some((by, _)) = set_back.first() {
        let since = situation.now - Span::from_secs(CONTEST_WINDOW_SECS);
        baseline.set_backs.retain(|at| *at > since);
        baseline.set_backs.push(situation.now);
        plan.set_backs
            .extend(set_back.iter().map(|(_, part)| SetBack {
                workload: target.workload.clone(),
                part: *part,
            }));
        if baseline.set_backs.len() >= CONTEST_LIMIT {
            baseline.contested_by = Some(by.clone());
            return leave_alone(situation, target, &baseline, plan);
        }
    }
    let to = replicas.of(baseline.replicas);
    baseline.applied = Some(to);
    let kept = baseline.autoscaler.as_ref();
    let lets = target
        .autoscaling
        .holder()
        .lets(kept, baseline.replicas, to, found.replicas);
    let bounds = autoscaler::set(target, &baseline, to);
    let number = (!lets).then(|| scale(target, found, to, false));
    plan.keep(Some(&baseline));
    // Its bounds first, so that it does not take the number back; but at 0 it stands still, and bounds
    // that are given back before would let it scale up once more.
    let (first, second) = if to == 0 {
        (number, bounds)
    } else {
        (bounds, number)
    };
    first.into_iter().chain(second).collect()
}

/// Takes in the number that is there. Where somebody else has set it, it is the new baseline; says who
/// did so since this process wrote one.
fn take_in(
    situation: &Situation<'_>,
    target: &Target,
    found: &Found,
    replicas: Replicas,
    by_itself: bool,
    baseline: &mut Baseline,
) -> Option<String> {
    let to = replicas.of(baseline.replicas);
    let (holder, kept) = (target.autoscaling.holder(), baseline.autoscaler.as_ref());
    if holder.lets(kept, baseline.replicas, to, found.replicas)
        || ours(situation, target, found, baseline)
    {
        return None;
    }
    let by = match &found.owner {
        Owner::Other(manager) => manager.as_str(),
        Owner::Autoscaler => AUTOSCALER,
        Owner::Us | Owner::Nobody => UNNAMED,
    };
    if by_itself {
        let defies = holder.defies(to) && target.written.is_some();
        return defies.then(|| by.to_owned());
    }
    baseline.replicas = found.replicas;
    target.written.is_some().then(|| by.to_owned())
}

/// Writes the baseline back, unless somebody else has set a number meanwhile: that one stands, and so
/// does what an autoscaler has chosen within its bounds.
fn restore(
    situation: &Situation<'_>,
    target: &Target,
    found: &Found,
    baseline: &Baseline,
    plan: &mut Plan,
) -> Vec<Write> {
    if baseline.contested_by.is_some() && situation.level() > 0 {
        return leave_alone(situation, target, baseline, plan);
    }
    if let (Some(refusal), Some(_)) = (&target.autoscaling.unreadable, &baseline.autoscaler) {
        // What may not be read cannot be given back, and must not be forgotten.
        if matches!(situation.wanted, Wanted::HandBack) {
            plan.refusals.push(refusal.clone());
        }
        plan.keep(Some(baseline));
        return Vec::new();
    }
    let all = numbers(situation, target, baseline);
    let back = autoscaler::give_back(target, baseline, &all);
    let bounds = autoscaler::bounds_then(target, baseline, &all);
    let goal = bounds.map_or(baseline.replicas, |b| b.restored(baseline.replicas));
    // At level 0, and when all is handed back, a contest is over and its baseline forgotten.
    let number = baseline.contested_by.is_none()
        && found.replicas != goal
        && ours_to_restore(situation, target, found, baseline, bounds);
    let number = number.then(|| scale(target, found, goal, true));
    let writes: Vec<Write> = back.into_iter().chain(number).collect();
    if !writes.is_empty() {
        plan.record.push(baseline.clone());
    }
    writes
}

/// An autoscaler's number stands while there is one: it goes on from there by itself. But for what it
/// only made of ours, when it was quicker than we were, or a crash came between its bounds and the number.
/// KEDA's may not be seen yet, and then nobody can tell: it goes on from ours as well.
fn ours_to_restore(
    situation: &Situation<'_>,
    target: &Target,
    found: &Found,
    baseline: &Baseline,
    bounds: Option<Bounds>,
) -> bool {
    let clamped = |(bounds, applied): (Bounds, i32)| bounds.restored(applied) == found.replicas;
    let gone = || matches!(target.autoscaling.holder(), Holder::Nobody);
    let unseen = || {
        let resumed = matches!(
            &baseline.autoscaler,
            Some(Kept::Paused { before: None, .. })
        );
        resumed && bounds.is_none()
    };
    ours(situation, target, found, baseline)
        || autoscaler::chose(target, found, baseline)
            && (gone() || unseen() || bounds.zip(baseline.applied).is_some_and(clamped))
}

/// Whether the number that is there is one that we set. One that nobody owns is ours where we wrote it
/// or were about to; where a crash came between the two, also where a rung asks for it. With an
/// autoscaler, which sets our number too, whose name it bears says nothing.
fn ours(situation: &Situation<'_>, target: &Target, found: &Found, baseline: &Baseline) -> bool {
    let applied = baseline.applied == Some(found.replicas);
    match found.owner {
        Owner::Us => true,
        _ if applied && baseline.autoscaler.is_some() => true,
        Owner::Other(_) | Owner::Autoscaler => false,
        Owner::Nobody if applied => true,
        Owner::Nobody if target.written.is_some() => target.written == Some(found.replicas),
        Owner::Nobody => numbers(situation, target, baseline).contains(&found.replicas),
    }
}

/// The numbers that the rungs ask for.
fn numbers(situation: &Situation<'_>, target: &Target, baseline: &Baseline) -> Vec<i32> {
    let rungs = situation.policy.levels.iter();
    let named = rungs.flat_map(|level| &level.scale);
    named
        .filter(|t| t.workload == target.workload)
        .map(|t| t.replicas.of(baseline.replicas))
        .collect()
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

/// Leaves the number as somebody keeps setting it. An autoscaler gets back what is still ours in it:
/// half moved it would be neither theirs nor ours.
fn leave_alone(
    situation: &Situation<'_>,
    target: &Target,
    baseline: &Baseline,
    plan: &mut Plan,
) -> Vec<Write> {
    let Workload { kind, name } = &baseline.workload;
    let by = match baseline.contested_by.as_deref() {
        None | Some(UNNAMED) => {
            "somebody, whose name the API server does not keep after a scale to 0,".to_owned()
        }
        Some(manager) => format!("the field manager {manager}"),
    };
    let (what, field) = match &baseline.autoscaler {
        None => ("its replicas", "spec.replicas".to_owned()),
        Some(kept) => ("its replicas or its autoscaler", kept.fields()),
    };
    plan.refusals.push(Refusal {
        reason: reasons::TARGET_CONTESTED,
        message: format!(
            "{kind} {name} is left alone: {by} keeps setting {what} back. \
             Let it ignore {field}, or take the target out of spec.levels"
        ),
    });
    let numbers = numbers(situation, target, baseline);
    let back = autoscaler::give_back(target, baseline, &numbers);
    plan.keep(Some(baseline));
    back.into_iter().collect()
}

impl Plan {
    /// Has a baseline in status before the writes and after them.
    fn keep(&mut self, baseline: Option<&Baseline>) {
        self.record.extend(baseline.cloned());
        self.settled.extend(baseline.cloned());
    }
}

fn conflict(target: &Target, holder: &str) -> Refusal {
    let Workload { kind, name } = &target.workload;
    Refusal {
        reason: reasons::TARGET_CONFLICT,
        message: format!(
            "{kind} {name} is held by the policy {holder}, which was there first: \
             name it in one policy only"
        ),
    }
}

fn unclear(target: &Target) -> Refusal {
    if let Some(refusal) = &target.autoscaling.unreadable {
        return refusal.clone();
    }
    let Workload { kind, name } = &target.workload;
    Refusal {
        reason: reasons::TARGET_CONTESTED,
        message: format!(
            "{kind} {name} is left as it is: {} scale it, and each keeps to its own bounds while \
             neither follows its metrics. Keep one of them, or take the target out of spec.levels",
            target.autoscaling.why_unclear()
        ),
    }
}
