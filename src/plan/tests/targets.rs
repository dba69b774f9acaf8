//! One target, one row for each branch.

use super::cluster::{NOW, level, policy, workload};
use crate::plan::{
    Autoscaling, Baseline, FlagsMap, Found, Owner, Part, Plan, Situation, Target, Wanted, Write,
    plan,
};

/// What is known of target `b` (150% at level 2, 50% at level 3).
#[derive(Clone)]
struct Row {
    found: Option<(i32, Owner)>,
    baseline: Option<(i32, Option<i32>)>,
    contested: bool,
    held_by: Option<&'static str>,
    written: Option<i32>,
    set_backs: usize,
}

const ROW: Row = Row {
    found: Some((3, Owner::Us)),
    baseline: None,
    contested: false,
    held_by: None,
    written: None,
    set_backs: 0,
};

/// The number that is written (`!` after a restore), the baseline kept, the refusal.
fn outcome(plan: &Plan) -> String {
    let write = plan.writes.iter().find_map(|write| match write {
        Write::Scale { to, restore, .. } => {
            Some(format!("{to}{}", if *restore { "!" } else { "" }))
        }
        _ => None,
    });
    let kept = plan
        .settled
        .first()
        .map(|baseline| baseline.replicas.to_string());
    let refusal = plan
        .refusals
        .first()
        .map(|refusal| refusal.reason.to_owned());
    [write, kept, refusal]
        .map(|part| part.unwrap_or("-".to_owned()))
        .join(" ")
}

fn planned(row: &Row, wanted: Wanted<'_>) -> Plan {
    let target = Target {
        workload: workload("b"),
        found: row.found.clone().map(|(replicas, owner)| Found {
            uid: "b".to_owned(),
            resource_version: "7".to_owned(),
            replicas,
            owner,
        }),
        held_by: row.held_by.map(str::to_owned),
        written: row.written,
        autoscaling: Autoscaling::default(),
    };
    let baseline = row.baseline.map(|(replicas, applied)| Baseline {
        workload: workload("b"),
        replicas,
        applied,
        autoscaler: None,
        set_backs: vec![NOW; row.set_backs],
        contested_by: row.contested.then(|| "argocd".to_owned()),
    });
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

fn other() -> Owner {
    Owner::Other("argocd".to_owned())
}

/// What is found (number and owner), the baseline (number/applied, `!` where it is contested), what this
/// process wrote or who holds it, the level; then what comes of it; then the name of the row.
const ROWS: &str = "
    3 us      -     -      1     -  - -                named by a higher rung only
    3 us      -     -      back  -  - -                nothing to hand back
    3 argocd  -     -      2     5  3 -                the first write
    0 argocd  -     -      2     -  0 -                that number already
    5 us      3/5   -      2     -  3 -                held as it should be
    5 us      3/5   -      3     2  3 -                another level's number
    10 argocd 3/5   -      2     15 10 -               a person's number
    5 argocd  3/5   w5     2     -  3 -                somebody sets our number
    9 us      3/5   -      2     5  3 -                drift under our own name
    4 nobody  3/4   w9     2     5  3 -                of nobody, as we were about to write
    4 nobody  3/5   w4     2     5  3 -                of nobody, as we wrote
    2 nobody  3/5   -      2     5  3 -                of nobody, as another rung asks
    8 nobody  3/5   -      2     12 8 -                of nobody, and not ours
    0 nobody  3/5   -      2     -  0 -                a person scales to 0
    5 us      3/5   -      1     3! - -                restored
    5 us      3/5   -      back  3! - -                restored when deleted
    3 us      3/5   -      1     -  - -                restored already
    9 argocd  3/5   -      1     -  - -                a person's number stands
    - -       3/5   -      2     -  3 TargetNotFound   gone while held
    - -       3/5   -      1     -  - TargetNotFound   gone when it is over
    - -       -     -      0     -  - TargetNotFound   never there
    - -       3/5   -      back  -  - -                gone when deleted
    3 us      -     older  2     -  - TargetConflict   another policy's
    3 us      -     older  0     -  - TargetConflict   another policy's at Normal too
    5 us      3/5   older  back  3! - -                another policy's, but ours to restore
    9 argocd  3/5!  -      2     -  3 TargetContested  left alone
    9 argocd  3/5!  -      1     -  3 TargetContested  left alone on a lower rung
    9 argocd  3/5!  -      0     -  - -                left alone and over
    9 argocd  3/5!  -      back  -  - -                left alone and deleted
";

fn row(words: &[&'static str]) -> (Row, Wanted<'static>) {
    let owner = match words[1] {
        "us" => Owner::Us,
        "nobody" => Owner::Nobody,
        manager => Owner::Other(manager.to_owned()),
    };
    let number = |text: &str| text.parse::<i32>().ok();
    let baseline = words[2].trim_end_matches('!').split_once('/');
    let written = words[3].strip_prefix('w').and_then(number);
    let row = Row {
        found: number(words[0]).map(|replicas| (replicas, owner)),
        baseline: baseline.map(|(replicas, applied)| (number(replicas).unwrap(), number(applied))),
        contested: words[2].ends_with('!'),
        held_by: (words[3] == "older").then_some("older"),
        written,
        set_backs: 0,
    };
    (row, words[4].parse().map_or(Wanted::HandBack, level))
}

#[test]
fn targets() {
    for line in ROWS.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (row, wanted) = row(&words);
        let plan = planned(&row, wanted);
        assert_eq!(
            outcome(&plan),
            words[5..8].join(" "),
            "{}",
            words[8..].join(" ")
        );
        assert!(plan.set_backs.is_empty(), "{}", words[8..].join(" "));
    }
}

#[test]
fn the_third_set_back_is_the_last() {
    for (set_backs, owner, by) in [
        (0, other(), "argocd"),
        (1, other(), "argocd"),
        (2, other(), "argocd"),
        (2, Owner::Nobody, "unknown"),
        (9, other(), "argocd"),
    ] {
        let row = Row {
            found: Some((4, owner)),
            baseline: Some((3, Some(5))),
            written: Some(5),
            set_backs,
            ..ROW
        };
        let plan = planned(&row, level(2));
        assert_eq!(plan.set_backs[0].part, Part::Replicas);
        let contested = plan.settled[0].contested_by.as_deref();
        assert_eq!(
            contested,
            (set_backs >= 2).then_some(by),
            "{set_backs} before"
        );
        let expected = if set_backs >= 2 {
            "- 4 TargetContested"
        } else {
            "6 4 -"
        };
        assert_eq!(outcome(&plan), expected, "{set_backs} before");
        assert_eq!(plan.settled[0].replicas, 4);
        assert_eq!(plan.record, plan.settled);
    }
}

#[test]
fn what_is_left_alone_is_told_with_the_name_where_there_is_one() {
    let row = |owner| Row {
        found: Some((4, owner)),
        baseline: Some((3, Some(5))),
        written: Some(5),
        set_backs: 2,
        ..ROW
    };
    let message = |owner| planned(&row(owner), level(2)).refusals[0].message.clone();
    assert!(
        message(other()).contains("Deployment b is left alone: the field manager argocd keeps")
    );
    assert!(message(Owner::Nobody).contains("somebody, whose name the API server does not keep"));
}
