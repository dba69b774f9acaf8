//! Baselines after writes that failed.

use super::cluster::workload;
use crate::plan::{Baseline, Part, Plan, SetBack, Write};

fn baseline(name: &str) -> Baseline {
    Baseline {
        workload: workload(name),
        replicas: 3,
        applied: Some(0),
        autoscaler: None,
        set_backs: Vec::new(),
        contested_by: None,
    }
}

#[test]
fn a_baseline_is_kept_where_its_restore_failed_and_dropped_where_it_was_outdated() {
    let plan = Plan {
        record: ["held", "new", "restoring", "restored"]
            .map(baseline)
            .into(),
        settled: ["held", "new"].map(baseline).into(),
        ..Plan::default()
    };
    let before = ["held", "restoring", "restored"].map(baseline);
    for (unrestored, outdated, kept) in [
        (None, None, vec!["held", "new"]),
        (Some("restoring"), None, vec!["held", "new", "restoring"]),
        (
            Some("restoring"),
            Some("restoring"),
            vec!["held", "new", "restoring"],
        ),
        (None, Some("new"), vec!["held"]),
        (None, Some("held"), vec!["held", "new"]),
    ] {
        let of = |name: Option<&str>| name.map(workload).into_iter().collect::<Vec<_>>();
        let left = plan.baselines_after(&of(unrestored), &of(outdated), &before);
        let names: Vec<&str> = left.iter().map(|b| b.workload.name.as_str()).collect();
        assert_eq!(names, kept, "{unrestored:?} {outdated:?}");
    }
}

#[test]
fn a_workload_that_is_left_out_stops_neither_the_flags_nor_the_others() {
    let scale = |name: &str| Write::Scale {
        workload: workload(name),
        uid: "u".to_owned(),
        resource_version: "1".to_owned(),
        from: 3,
        to: 0,
        restore: false,
    };
    let set_back = |name: &str| SetBack {
        workload: workload(name),
        part: Part::Replicas,
    };
    let flags = || Write::CreateFlags { data: [].into() };
    let of = |names: &[&str]| Plan {
        record: names.iter().map(|name| baseline(name)).collect(),
        settled: names.iter().map(|name| baseline(name)).collect(),
        set_backs: names.iter().map(|name| set_back(name)).collect(),
        writes: [flags()]
            .into_iter()
            .chain(names.iter().map(|name| scale(name)))
            .collect(),
        ..Plan::default()
    };
    let mut plan = of(&["sure", "unsure", "another"]);
    plan.leave_out(&workload("unsure"));
    assert_eq!(plan, of(&["sure", "another"]));
}
