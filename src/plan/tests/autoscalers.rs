//! One target with what scales it by itself, one row for each branch.

use super::cluster::{NOW, level, policy, workload};
use crate::plan::{
    Autoscaling, Baseline, Bounds, FlagsMap, Found, Hpa, Kept, Owner, Part, Plan, Refusal,
    ScaledObject, Situation, Target, Wanted, Write, plan,
};

/// Target `b` (150% at level 2, 50% at level 3): the number found and who set it; the autoscaler's bounds
/// and who set each, or KEDA's pause and who set it; the same as recorded; the baseline and what was
/// applied; what this process has set of the two; the level. Then the writes, what is recorded after, and
/// whether it counts as set back or why it is refused; then the name of the row.
const ROWS: &str = "
    4 helm  2..9/h/h   -     -   -    1    | - - -                             another rung only
    4 helm  2..9/h/h   -     -   -    2    | 6..9,6 2..9 -                     up: at least
    4 helm  2..5/h/h   -     -   -    2    | 6..6,6 2..5 -                     up, over the upper bound
    4 helm  2..9/h/h   -     -   -    3    | 2..2,2 2..9 -                     down: at most
    4 helm  1..9/h/h   -     -   -    3    | 1..2,2 1..9 -                     down, and below by itself
    1 helm  1..9/h/h   -     -   -    3    | 1..1 1..9 -                       the number that there is
    6 us    6..9/u/h   2..9  4/6 6..9 2    | - 2..9 -                          held as it should be
    8 hpa   6..9/u/h   2..9  4/6 6..9 2    | - 2..9 -                          its own choice within the bounds
    8 helm  6..9/u/h   2..9  4/6 6..9 2    | - 2..9 -                          whoever chooses within them
    5 hpa   6..9/u/h   2..9  4/6 6..9 2    | 6 2..9 -                          beyond the bounds it has
    8 hpa   6..9/u/h   2..9  4/6 6..9 3    | 2..2,2 2..9 -                     its choice is no wish for the next level
    3 helm  6..9/u/h   2..9  4/6 6..9 2    | 5..9,5 2..9 set-back              a person's number
    6 us    6..7/u/k   2..9  4/6 6..9 2    | - 2..7 -                          a person's bound that is let be
    6 us    3..7/k/k   2..9  4/6 6..9 2    | 6..7 3..7 set-back                a person's bounds
    6 us    2..9/k/k   2..9  4/6 -    2    | 6..9 2..9 -                       bounds not written before a crash
    6 us    6..9/-/h   2..9  4/6 -    3    | 2..2,2 2..9 -                     ours without a name
    2 us    5..9/u/u   2..9  4/2 -    3    | 2..2 2..9 -                       drift under our own name
    2 us    1..4/h/k   5..9  4/2 2..2 3    | 1..2 1..4 set-back                bounds that cross the recorded ones
    2 hpa   3..9/h/h   -     4/2 -    3    | 2..2 3..9 -                       made while held
    3 hpa   3..9/h/h   -     4/2 -    3    | 2..2,2 3..9 -                     made while held, and it acted
    1 hpa   -          2..9  4/2 1..2 3    | 2 - -                             deleted while held
    1 hpa   -          -     4/2 set  3    | 2 - set-back                      an unknown autoscaler
    8 k3s   6..9/u/h   2..9  4/6 6..9 3    | 2..2,2 2..9 -                     by an unusual name, for the next level
    3 k3s   3..9/h/h   -     4/2 2..2 3    | 2..2,2 3..9 -                     by an unusual name, made while held
    1 k3s   -          1..9  4/2 1..2 3    | 2 - -                             by an unusual name, deleted
    1 k3s   -          1..9  4/2 -    1    | 4! - -                            and when it is over
    2 k3s   2..9/u/u   2..9  4/2 -    1    | 4! - -                            and clamped before a crash
    2 us    ~2..2/u/u  2..9  4/2 2..2 3    | 2..9! 2..9 -                      turned to another target
    2 us    ~2..9/u/u  2..9  4/2 2..2 3    | - - -                             and given back
    2 us    2..2/u/u   2..9  4/2 -    1    | 2..9!,4! - -                      given back
    2 us    2..2/u/u   2..9  4/2 -    back | 2..9!,4! - -                      given back when deleted
    1 hpa   1..2/u/u   2..9  4/2 -    1    | 2..9! - -                         its own number stands
    2 hpa   2..9/u/u   2..9  4/2 -    1    | 4! - -                            clamped to ours before a crash
    3 hpa   2..9/u/u   2..9  4/2 -    1    | - - -                             scaled by itself before a crash
    0 -     2..9/h/h   2..9  4/0 -    1    | 4! - -                            woken
    0 -     2..9/h/h   2..9  0/0 -    1    | - - -                             put to sleep by a person
    2 us    2..2/u/k   5..9  4/2 -    1    | - - -                             a person's upper bound stands
    2 us    2..3/u/k   1..9  4/2 -    1    | 1..3!,3! - -                      and bounds what is given back
    1 hpa   -          2..9  4/2 -    1    | 4! - -                            its number when it is gone
    2 us    two        2..9  4/2 -    1    | 2..9!,4! - TargetContested        two, given back
    4 helm  two        -     -   -    3    | - - TargetContested               two
    4 helm  two        -     -   -    back | - - -                             two when deleted
    2 us    two        2..9  4/2 -    3    | - 2..9 TargetContested            a second one while held
    4 helm  keda=/-    -     -   -    3    | =2,2 = -                          paused
    4 helm  keda=7/k   -     -   -    3    | =2,2 =7 -                         paused over another pause
    2 keda  keda=2/u   =     4/2 set  3    | - = -                             held by KEDA
    2 keda  keda=2/u   =     4/2 set  2    | =6,6 = -                          KEDA's number is ours
    2 us    keda=/-    =     4/2 set  3    | =2 = set-back                     the pause was taken off
    2 us    keda=/-    =     4/2 -    3    | =2 = -                            not paused before a crash
    2 us    keda=5/k   =     4/2 set  3    | =2 =5 set-back                    a person's pause
    5 hpa   keda=2/u   =     4/2 set  3    | 2 = set-back                      KEDA does not run
    3 helm  keda=2/u   =     4/2 set  3    | 2 = set-back                      a person's number under KEDA
    2 us    -          =     4/2 set  3    | - - -                             the ScaledObject is gone
    2 keda  keda=2/u   =     4/2 -    1    | =!,4! - -                         resumed
    3 hpa   keda=/-    =     4/2 set  1    | 4! - -                            its autoscaler was quicker
    3 hpa   keda=7/u   =7    4/2 set  1    | - - -                             and the pause of before holds
    2 keda  keda=2/u   =7    4/2 -    back | =7!,4! - -                        paused as before
    2 keda  keda=5/k   =     4/2 -    1    | 4! - -                            a person's pause stands
    0 -     keda=0/u   =     4/0 -    1    | =!,4! - -                         resumed from 0
    2 us    keda+/-    =     4/2 -    3    | - = TargetContested               KEDA and another
    2 us    denied     =     4/2 -    3    | - = Forbidden                     what may not be read
    2 us    denied     =     4/2 -    back | - = Forbidden                     and cannot be given back
    2 us    unread     =     4/2 -    3    | - = TargetUnreadable              what fails to be read
    2 us    unread     =     4/2 -    back | - = TargetUnreadable              and cannot be given back yet
";

const HPA: &str = "auto";

fn owner(word: &str) -> Owner {
    match word {
        "u" | "us" => Owner::Us,
        "hpa" | "keda" => Owner::Autoscaler,
        "-" => Owner::Nobody,
        "h" => Owner::Other("helm".to_owned()),
        "k" => Owner::Other("kubectl".to_owned()),
        manager => Owner::Other(manager.to_owned()),
    }
}

fn bounds(word: &str) -> Option<Bounds> {
    let (min, max) = word.split_once("..")?;
    Some(Bounds {
        min: min.parse().ok()?,
        max: max.parse().ok()?,
    })
}

fn kept(word: &str) -> Option<Kept> {
    let name = HPA.to_owned();
    if let Some(before) = word.strip_prefix('=') {
        let before = (!before.is_empty()).then(|| before.to_owned());
        return Some(Kept::Paused { name, before });
    }
    bounds(word).map(|bounds| Kept::Bounds { name, bounds })
}

fn hpa(name: &str, word: &str, written: &str) -> Hpa {
    let parts: Vec<&str> = word.trim_start_matches('~').split('/').collect();
    Hpa {
        name: name.to_owned(),
        uid: "hpa".to_owned(),
        resource_version: "5".to_owned(),
        holds: !word.starts_with('~'),
        made_by: None,
        bounds: bounds(parts[0]).unwrap(),
        min_owner: owner(parts[1]),
        max_owner: owner(parts[2]),
        written: bounds(written),
    }
}

fn autoscaling(word: &str, written: &str) -> Autoscaling {
    let object = |pause: &str, by: &str| ScaledObject {
        name: HPA.to_owned(),
        uid: "object".to_owned(),
        resource_version: "5".to_owned(),
        paused: (!pause.is_empty()).then(|| pause.to_owned()),
        owner: owner(by),
        written: written == "set",
    };
    let (hpas, scaled_object) = match word {
        "-" => (Vec::new(), None),
        "denied" | "unread" => {
            let reason = if word == "denied" {
                "Forbidden"
            } else {
                "TargetUnreadable"
            };
            return Autoscaling {
                unreadable: Some(Refusal {
                    reason,
                    message: "no".to_owned(),
                }),
                ..Autoscaling::default()
            };
        }
        "two" => {
            let first = hpa(HPA, "2..2/u/u", written);
            (vec![first, hpa("more", "1..5/h/h", "-")], None)
        }
        "keda+/-" => (vec![hpa("more", "1..5/h/h", "-")], Some(object("", "-"))),
        _ => match word.strip_prefix("keda=").and_then(|w| w.split_once('/')) {
            Some((pause, by)) => (Vec::new(), Some(object(pause, by))),
            None => (vec![hpa(HPA, word, written)], None),
        },
    };
    Autoscaling {
        hpas,
        scaled_object,
        unreadable: None,
    }
}

fn planned(words: &[&str]) -> Plan {
    let baseline = words[4]
        .split_once('/')
        .map(|(replicas, applied)| Baseline {
            workload: workload("b"),
            replicas: replicas.parse().unwrap(),
            applied: applied.parse().ok(),
            autoscaler: kept(words[3]),
            set_backs: Vec::new(),
            contested_by: None,
        });
    let target = Target {
        workload: workload("b"),
        found: Some(Found {
            uid: "b".to_owned(),
            resource_version: "7".to_owned(),
            replicas: words[0].parse().unwrap(),
            owner: owner(words[1]),
        }),
        held_by: None,
        written: baseline
            .as_ref()
            .filter(|_| words[5] != "-")
            .and_then(|b| b.applied),
        autoscaling: autoscaling(words[2], words[5]),
    };
    let wanted = words[6].parse().map_or(Wanted::HandBack, level);
    plan(&Situation {
        policy: &policy(),
        wanted,
        config_map: &FlagsMap::Absent,
        epoch: 0,
        targets: &[target],
        baselines: baseline.as_slice(),
        now: NOW,
    })
}

fn told(write: &Write) -> Option<String> {
    let mark = |restore: &bool| if *restore { "!" } else { "" };
    match write {
        Write::Scale { to, restore, .. } => Some(format!("{to}{}", mark(restore))),
        Write::Bounds { to, restore, .. } => {
            Some(format!("{}..{}{}", to.min, to.max, mark(restore)))
        }
        Write::Pause { to, restore, .. } => Some(format!(
            "={}{}",
            to.as_deref().unwrap_or_default(),
            mark(restore)
        )),
        Write::CreateFlags { .. } | Write::ReplaceFlags { .. } => None,
    }
}

fn outcome(plan: &Plan) -> String {
    let writes: Vec<String> = plan.writes.iter().filter_map(told).collect();
    let writes = (!writes.is_empty()).then(|| writes.join(","));
    let kept = plan.settled.first().and_then(|b| b.autoscaler.as_ref());
    let kept = kept.map(|kept| match kept {
        Kept::Bounds { bounds, .. } => format!("{}..{}", bounds.min, bounds.max),
        Kept::Paused { before, .. } => format!("={}", before.as_deref().unwrap_or_default()),
    });
    let refusal = plan
        .refusals
        .first()
        .map(|refusal| refusal.reason.to_owned());
    let set_back = plan
        .settled
        .first()
        .is_some_and(|b| !b.set_backs.is_empty());
    assert_eq!(set_back, !plan.set_backs.is_empty());
    let refusal = refusal.or(set_back.then(|| "set-back".to_owned()));
    [writes, kept, refusal]
        .map(|part| part.unwrap_or("-".to_owned()))
        .join(" ")
}

#[test]
fn autoscalers() {
    for line in ROWS.lines().filter(|line| !line.trim().is_empty()) {
        let (given, expected) = line.split_once('|').unwrap();
        let given: Vec<&str> = given.split_whitespace().collect();
        let expected: Vec<&str> = expected.split_whitespace().collect();
        let why = expected[3..].join(" ");
        let plan = planned(&given);
        assert_eq!(outcome(&plan), expected[..3].join(" "), "{why}: {plan:#?}");
        if !plan.writes.is_empty() {
            assert!(
                !plan.record.is_empty() || plan.writes.iter().all(|w| told(w).is_none()),
                "{why}: what was there is in status before it is written over"
            );
        }
    }
}

#[test]
fn at_0_the_number_comes_before_the_bounds() {
    let mut policy = policy();
    policy.levels[2].scale[1].replicas = crate::policy::Replicas::Count(0);
    let target = Target {
        workload: workload("b"),
        found: Some(Found {
            uid: "b".to_owned(),
            resource_version: "7".to_owned(),
            replicas: 6,
            owner: Owner::Us,
        }),
        held_by: None,
        written: Some(6),
        autoscaling: autoscaling("6..9/u/h", "6..9"),
    };
    let baseline = Baseline {
        workload: workload("b"),
        replicas: 4,
        applied: Some(6),
        autoscaler: kept("2..9"),
        set_backs: Vec::new(),
        contested_by: None,
    };
    let plan = plan(&Situation {
        policy: &policy,
        wanted: level(3),
        config_map: &FlagsMap::Absent,
        epoch: 0,
        targets: &[target],
        baselines: &[baseline],
        now: NOW,
    });
    let writes: Vec<String> = plan.writes.iter().filter_map(told).collect();
    assert_eq!(writes, ["0", "2..9"]);
}

#[test]
fn one_that_may_go_to_0_by_itself_is_kept_from_waking() {
    let bounds = Bounds { min: 0, max: 9 };
    assert_eq!(bounds.moved(4, 0), Bounds { min: 1, max: 9 });
}

/// What is still ours in it is given back with the third set-back.
#[test]
fn a_contested_autoscaler_is_not_left_half_moved() {
    let target = Target {
        workload: workload("b"),
        found: Some(Found {
            uid: "b".to_owned(),
            resource_version: "7".to_owned(),
            replicas: 2,
            owner: Owner::Us,
        }),
        held_by: None,
        written: Some(2),
        autoscaling: autoscaling("1..8/u/k", "1..2"),
    };
    let baseline = Baseline {
        workload: workload("b"),
        replicas: 4,
        applied: Some(2),
        autoscaler: kept("3..9"),
        set_backs: vec![NOW; 2],
        contested_by: None,
    };
    let plan = plan(&Situation {
        policy: &policy(),
        wanted: level(3),
        config_map: &FlagsMap::Absent,
        epoch: 0,
        targets: &[target],
        baselines: &[baseline],
        now: NOW,
    });
    let writes: Vec<String> = plan.writes.iter().filter_map(told).collect();
    assert_eq!(writes, ["3..8!"]);
    assert_eq!(plan.settled[0].contested_by.as_deref(), Some("kubectl"));
    assert_eq!(plan.set_backs[0].part, Part::Autoscaler);
    let message = &plan.refusals[0].message;
    assert!(message.contains("maxReplicas of the HorizontalPodAutoscaler auto"));
}
