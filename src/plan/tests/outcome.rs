//! Baselines after writes that failed.

use super::cluster::workload;
use crate::plan::{Baseline, Plan};

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
