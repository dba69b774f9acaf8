use super::super::standing::{SetAutoscaler, Written};
use super::*;
use crate::plan::{Autoscaling, Refusal};
use crate::policy::WorkloadKind;

const START: Time = Time::from_millis(1_700_000_000_000);

fn worker() -> Workload {
    Workload {
        kind: WorkloadKind::Deployment,
        name: "worker".to_owned(),
    }
}

fn baseline(applied: i32) -> Baseline {
    Baseline {
        workload: worker(),
        replicas: 3,
        applied: Some(applied),
        autoscaler: None,
        set_backs: vec![START],
        contested_by: None,
    }
}

fn target(version: u32, replicas: i32, owner: Owner) -> Target {
    Target {
        workload: worker(),
        found: Some(Found {
            uid: "u".to_owned(),
            resource_version: version.to_string(),
            replicas,
            owner,
        }),
        held_by: None,
        written: None,
        autoscaling: Autoscaling::default(),
    }
}

fn bounded_by(version: u32, bounds: (i32, i32), owner: &Owner) -> Target {
    let hpa = Hpa {
        name: "hpa".to_owned(),
        uid: "h".to_owned(),
        resource_version: version.to_string(),
        holds: true,
        made_by: None,
        bounds: Bounds {
            min: bounds.0,
            max: bounds.1,
        },
        min_owner: owner.clone(),
        max_owner: owner.clone(),
        written: None,
    };
    let mut target = target(7, 3, Owner::Other("kubectl".to_owned()));
    target.autoscaling.hpas.push(hpa);
    target
}

/// Handed back without a write at version 7, with 3 replicas, which the rung would have made `applied`.
fn handed_back(applied: i32) -> HandedBack {
    let mut all = HandedBack::default();
    let before = target(7, 3, Owner::Other("kubectl".to_owned()));
    assert!(
        all.look(&[before], &[baseline(applied)], |_| true, START)
            .is_empty()
    );
    all
}

fn look(all: &mut HandedBack, target: Target) -> Vec<Baseline> {
    all.look(&[target], &[], |_| true, START + Span::from_secs(60))
}

#[test]
fn a_number_that_landed_late_is_given_back_once() {
    let mut all = handed_back(1);
    let nothing_new = target(7, 3, Owner::Other("kubectl".to_owned()));
    assert!(look(&mut all, nothing_new).is_empty());
    let given = look(&mut all, target(9, 1, Owner::Us));
    let clean = Baseline {
        set_backs: Vec::new(),
        ..baseline(1)
    };
    assert_eq!(given, [clean]);
    assert!(look(&mut all, target(9, 1, Owner::Us)).is_empty());
}

#[test]
fn a_late_scale_to_zero_bears_nobodys_name() {
    assert_eq!(
        look(&mut handed_back(0), target(9, 0, Owner::Nobody)).len(),
        1
    );
    assert!(look(&mut handed_back(1), target(9, 0, Owner::Nobody)).is_empty());
}

#[test]
fn a_persons_number_stands_and_so_does_what_follows_it() {
    let mut all = handed_back(1);
    let person = target(9, 1, Owner::Other("kubectl".to_owned()));
    assert!(look(&mut all, person).is_empty());
    assert!(look(&mut all, target(11, 0, Owner::Us)).is_empty());
}

#[test]
fn a_write_of_its_status_or_of_ours_fences_what_is_late() {
    let mut all = handed_back(1);
    let status = target(8, 3, Owner::Other("kubectl".to_owned()));
    assert!(look(&mut all, status).is_empty());
    assert!(look(&mut all, target(9, 1, Owner::Us)).is_empty());

    let mut all = handed_back(1);
    let written = Written {
        resource_version: "8".to_owned(),
        replicas: 2,
    };
    all.wrote(&worker(), &Moved::Scaled(written));
    assert!(look(&mut all, target(8, 2, Owner::Us)).is_empty());
}

#[test]
fn nothing_is_late_where_another_policy_acts_or_the_time_is_over() {
    let landed = || [target(9, 1, Owner::Us)];
    let soon = START + Span::from_secs(60);
    assert!(
        handed_back(1)
            .look(&landed(), &[], |_| false, soon)
            .is_empty()
    );
    let mut held = landed();
    held[0].held_by = Some("older".to_owned());
    assert!(handed_back(1).look(&held, &[], |_| true, soon).is_empty());
    let too_late = START + LATEST;
    assert!(
        handed_back(1)
            .look(&landed(), &[], |_| true, too_late)
            .is_empty()
    );
    // One made anew is another object.
    let mut anew = landed();
    anew[0].found.as_mut().expect("it is there").uid = "other".to_owned();
    assert!(handed_back(1).look(&anew, &[], |_| true, soon).is_empty());
}

#[test]
fn a_pause_that_landed_late_is_taken_off() {
    let paused_at = |version: u32, paused: Option<&str>, owner: Owner| {
        let mut target = target(7, 3, Owner::Other("keda".to_owned()));
        target.autoscaling.scaled_object = Some(ScaledObject {
            name: "keda".to_owned(),
            uid: "s".to_owned(),
            resource_version: version.to_string(),
            paused: paused.map(str::to_owned),
            owner,
            written: false,
        });
        target
    };
    let kept = Baseline {
        autoscaler: Some(Kept::Paused {
            name: "keda".to_owned(),
            before: None,
        }),
        ..baseline(1)
    };
    let held = std::slice::from_ref(&kept);
    let handed_back = || {
        let mut all = HandedBack::default();
        let before = paused_at(5, None, Owner::Nobody);
        assert!(all.look(&[before], held, |_| true, START).is_empty());
        all
    };

    let mut all = handed_back();
    assert!(!all.any_pausable(held, START), "it is held, so it is read");
    assert!(all.any_pausable(&[], START), "nobody reads it otherwise");
    assert_eq!(all.pausable(&worker(), START), Some("keda"));
    assert_eq!(all.pausable(&worker(), START + LATEST), None);
    let mut unread = paused_at(5, None, Owner::Nobody);
    unread.autoscaling = Autoscaling {
        unreadable: Some(Refusal {
            reason: "Denied",
            message: "it may not be read".to_owned(),
        }),
        ..Autoscaling::default()
    };
    assert!(look(&mut all, unread).is_empty());
    assert!(look(&mut all, paused_at(5, None, Owner::Nobody)).is_empty());
    assert!(all.any_pausable(&[], START), "it may still come");
    let given = look(&mut all, paused_at(9, Some("1"), Owner::Us));
    assert_eq!(given[0].autoscaler, kept.autoscaler);
    assert!(!all.any_pausable(&[], START));

    // a person's pause stands, and what has been written since fences
    let mut all = handed_back();
    let person = Owner::Other("kubectl".to_owned());
    assert!(look(&mut all, paused_at(9, Some("1"), person)).is_empty());
    assert!(!all.any_pausable(&[], START));
    let mut all = handed_back();
    let off = SetAutoscaler::Paused {
        name: "keda".to_owned(),
        at: None,
    };
    all.wrote(&worker(), &Moved::Set(off));
    assert!(!all.any_pausable(&[], START));
}

#[test]
fn bounds_that_landed_late_are_given_back() {
    let bounds = Bounds { min: 2, max: 6 };
    let kept = Baseline {
        autoscaler: Some(Kept::Bounds {
            name: "hpa".to_owned(),
            bounds,
        }),
        ..baseline(1)
    };
    let mut all = HandedBack::default();
    let before = bounded_by(5, (2, 6), &Owner::Nobody);
    assert!(
        all.look(&[before], std::slice::from_ref(&kept), |_| true, START)
            .is_empty()
    );
    assert!(look(&mut all, bounded_by(5, (2, 6), &Owner::Nobody)).is_empty());
    let given = look(&mut all, bounded_by(9, (1, 1), &Owner::Us));
    assert_eq!(given[0].autoscaler, kept.autoscaler);
}
