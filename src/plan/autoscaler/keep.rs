//! What is remembered of an autoscaler: recorded, brought up to date when people change it, given back.

use super::{Bounds, Holder, Hpa, Kept, ScaledObject};
use crate::plan::{Baseline, Found, Owner, Target, Write};

/// Stands for a field manager that the API server keeps no name of.
pub(in crate::plan) const UNNAMED: &str = "unknown";

/// One of the two bounds.
type OneOf = fn(Bounds) -> i32;

/// Brings what is recorded in line with what scales the workload now; says who has set it otherwise
/// since this process set it for the number `to`. `numbers` are those that any rung asks for.
pub(in crate::plan) fn keep(
    target: &Target,
    baseline: &mut Baseline,
    to: i32,
    numbers: &[i32],
) -> Option<String> {
    let base = baseline.replicas;
    match (target.autoscaling.holder(), &mut baseline.autoscaler) {
        (Holder::Unclear, _) => None,
        (Holder::Nobody, kept) => {
            *kept = None;
            None
        }
        (Holder::Hpa(hpa), Some(Kept::Bounds { name, bounds })) if *name == hpa.name => {
            let wanted = bounds.moved(base, to);
            *bounds = resolve(hpa, *bounds, Some(wanted), base, numbers);
            let by = set_back(hpa, wanted);
            by.filter(|_| bounds.moved(base, to) != hpa.bounds)
        }
        (Holder::Hpa(hpa), kept) => {
            *kept = Some(Kept::Bounds {
                name: hpa.name.clone(),
                bounds: hpa.bounds,
            });
            None
        }
        (Holder::Keda(object), Some(Kept::Paused { name, before })) if *name == object.name => {
            if object.paused == Some(to.to_string()) || is_ours(object, numbers) {
                return None;
            }
            before.clone_from(&object.paused);
            object.written.then(|| name_of(&object.owner))
        }
        (Holder::Keda(object), kept) => {
            *kept = Some(Kept::Paused {
                name: object.name.clone(),
                before: object.paused.clone(),
            });
            None
        }
    }
}

/// Whether the number that is there is an autoscaler's own choice. Its name tells in most clusters, but
/// not where Kubernetes' controllers run under another; where it lies between the bounds, it is too.
pub(in crate::plan) fn chose(target: &Target, found: &Found, baseline: &Baseline) -> bool {
    let mut holding = target.autoscaling.hpas.iter().filter(|hpa| hpa.holds);
    let within = |bounds: Bounds| found.replicas > 0 && bounds.contains(found.replicas);
    let vanished = || match (&baseline.autoscaler, baseline.applied) {
        (Some(Kept::Bounds { bounds, .. }), Some(applied)) => {
            target.autoscaling.hpas.is_empty() && within(bounds.moved(baseline.replicas, applied))
        }
        _ => false,
    };
    // What KEDA scales it sets whenever it is unpaused, by an autoscaler that may not be seen yet.
    let keda = matches!(baseline.autoscaler, Some(Kept::Paused { .. }));
    keda || found.owner == Owner::Autoscaler || holding.any(|hpa| within(hpa.bounds)) || vanished()
}

/// The write that sets the autoscaler for a number, where it is not so already.
pub(in crate::plan) fn set(target: &Target, baseline: &Baseline, to: i32) -> Option<Write> {
    match (target.autoscaling.holder(), &baseline.autoscaler) {
        (Holder::Hpa(hpa), Some(Kept::Bounds { bounds, .. })) => {
            bound(target, hpa, bounds.moved(baseline.replicas, to), false)
        }
        (Holder::Keda(object), Some(Kept::Paused { .. })) => {
            pause(target, object, Some(to.to_string()), false)
        }
        _ => None,
    }
}

/// The write that gives an autoscaler back what is recorded of it, where that is still ours to give:
/// what somebody else has set meanwhile stands.
pub(in crate::plan) fn give_back(
    target: &Target,
    baseline: &Baseline,
    numbers: &[i32],
) -> Option<Write> {
    match baseline.autoscaler.as_ref()? {
        Kept::Bounds { .. } => {
            let (hpa, bounds) = bounds_back(target, baseline, numbers)?;
            bound(target, hpa, bounds, true)
        }
        Kept::Paused { name, before } => {
            let object = target.autoscaling.scaled_object.as_ref()?;
            let ours = object.name == *name && is_ours(object, numbers);
            ours.then(|| pause(target, object, before.clone(), true))?
        }
    }
}

/// The bounds that there are once all is given back, where they can be told: KEDA may not have made its
/// autoscaler anew yet.
pub(in crate::plan) fn bounds_then(
    target: &Target,
    baseline: &Baseline,
    numbers: &[i32],
) -> Option<Bounds> {
    if let Some((hpa, bounds)) = bounds_back(target, baseline, numbers)
        && hpa.holds
    {
        return Some(bounds);
    }
    let mut holding = target.autoscaling.hpas.iter().filter(|hpa| hpa.holds);
    holding.next().map(|hpa| hpa.bounds)
}

/// The recorded `HorizontalPodAutoscaler` and the bounds that are its own.
fn bounds_back<'a>(
    target: &'a Target,
    baseline: &Baseline,
    numbers: &[i32],
) -> Option<(&'a Hpa, Bounds)> {
    let Some(Kept::Bounds { name, bounds }) = &baseline.autoscaler else {
        return None;
    };
    let hpa = target.autoscaling.hpas.iter().find(|h| h.name == *name)?;
    let bounds = resolve(hpa, *bounds, None, baseline.replicas, numbers);
    Some((hpa, bounds))
}

/// The write that gives back to a `HorizontalPodAutoscaler` that names another workload by now.
pub(in crate::plan) fn stray(
    target: &Target,
    baseline: &Baseline,
    numbers: &[i32],
) -> Option<Write> {
    let (hpa, bounds) = bounds_back(target, baseline, numbers)?;
    (!hpa.holds)
        .then(|| bound(target, hpa, bounds, true))
        .flatten()
}

/// The bounds as people want them: each that somebody else has set, else the one that is recorded.
fn resolve(hpa: &Hpa, kept: Bounds, wanted: Option<Bounds>, base: i32, numbers: &[i32]) -> Bounds {
    let theirs = |owner: &Owner, of: OneOf| match owner {
        _ if wanted.is_some_and(|wanted| of(wanted) == of(hpa.bounds)) => false,
        Owner::Us => false,
        Owner::Autoscaler | Owner::Other(_) => true,
        Owner::Nobody => {
            let of_a_rung = |to: &i32| of(kept.moved(base, *to)) == of(hpa.bounds);
            !numbers.iter().any(of_a_rung)
        }
    };
    let theirs_min = theirs(&hpa.min_owner, |bounds| bounds.min);
    let theirs_max = theirs(&hpa.max_owner, |bounds| bounds.max);
    let min = if theirs_min { hpa.bounds.min } else { kept.min };
    let max = if theirs_max { hpa.bounds.max } else { kept.max };
    // One that somebody has set gives way to nothing; one that was there before does.
    match (theirs_min, theirs_max) {
        (false, true) => Bounds {
            min: min.min(max),
            max,
        },
        _ => Bounds {
            min,
            max: max.max(min),
        },
    }
}

/// Who has set a bound that this process had written.
fn set_back(hpa: &Hpa, wanted: Bounds) -> Option<String> {
    let written = hpa.written?;
    let parts: [(&Owner, OneOf); 2] = [
        (&hpa.max_owner, |bounds| bounds.max),
        (&hpa.min_owner, |bounds| bounds.min),
    ];
    let moved = |of: OneOf| of(hpa.bounds) != of(written) && of(hpa.bounds) != of(wanted);
    let by = parts
        .into_iter()
        .find(|(owner, of)| **owner != Owner::Us && moved(*of));
    by.map(|(owner, _)| name_of(owner))
}

fn is_ours(object: &ScaledObject, numbers: &[i32]) -> bool {
    match &object.owner {
        Owner::Us => true,
        Owner::Autoscaler | Owner::Other(_) => false,
        Owner::Nobody => numbers
            .iter()
            .any(|number| object.paused == Some(number.to_string())),
    }
}

fn name_of(owner: &Owner) -> String {
    match owner {
        Owner::Other(manager) => manager.clone(),
        Owner::Us | Owner::Autoscaler | Owner::Nobody => UNNAMED.to_owned(),
    }
}

fn bound(target: &Target, hpa: &Hpa, to: Bounds, restore: bool) -> Option<Write> {
    (to != hpa.bounds).then(|| Write::Bounds {
        workload: target.workload.clone(),
        name: hpa.name.clone(),
        uid: hpa.uid.clone(),
        resource_version: hpa.resource_version.clone(),
        from: hpa.bounds,
        to,
        restore,
    })
}

fn pause(
    target: &Target,
    object: &ScaledObject,
    to: Option<String>,
    restore: bool,
) -> Option<Write> {
    (to != object.paused).then(|| Write::Pause {
        workload: target.workload.clone(),
        name: object.name.clone(),
        uid: object.uid.clone(),
        resource_version: object.resource_version.clone(),
        from: object.paused.clone(),
        to,
        restore,
    })
}
