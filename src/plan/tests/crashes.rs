//! Whatever write is the last before a crash, the next process comes to the same end.

use super::cluster::{Cluster, level, policy};
use crate::plan::{Wanted, Write};

const ENDS: [Option<usize>; 5] = [Some(0), Some(1), Some(2), Some(3), None];

fn wanted(end: Option<usize>) -> Wanted<'static> {
    end.map_or(Wanted::HandBack, level)
}

#[test]
fn a_crash_after_any_write_changes_nothing_in_the_end() {
    let policy = policy();
    for (from, to) in (0..4).flat_map(|from| ENDS.map(|to| (from, to))) {
        let mut start = Cluster::new();
        start.settle(&policy, level(from));
        let mut end = start.clone();
        end.settle(&policy, wanted(to));
        let writes = start.plan(&policy, wanted(to)).writes.len();
        for done in 0..=writes {
            let mut crashed = start.clone();
            let plan = crashed.plan(&policy, wanted(to));
            crashed.carry_out(&plan, done);
            crashed.crash();
            crashed.settle(&policy, wanted(to));
            assert!(
                crashed.same_as(&end),
                "{from} to {to:?}, crashed after {done} of {writes}: {crashed:#?} is not {end:#?}"
            );
        }
    }
}

/// The level may have moved on by the time the next process acts.
#[test]
fn a_crash_on_the_way_to_another_level_loses_no_baseline() {
    let policy = policy();
    for (from, via) in (0..4).flat_map(|from| (0..4).map(move |via| (from, via))) {
        let mut start = Cluster::new();
        start.settle(&policy, level(from));
        let writes = start.plan(&policy, level(via)).writes.len();
        for (done, to) in (0..=writes).flat_map(|done| ENDS.map(|to| (done, to))) {
            let mut crashed = start.clone();
            let plan = crashed.plan(&policy, level(via));
            crashed.carry_out(&plan, done);
            crashed.crash();
            crashed.settle(&policy, wanted(to));
            crashed.settle(&policy, Wanted::HandBack);
            assert_eq!(
                crashed.replicas,
                Cluster::new().replicas,
                "{from} to {via}, crashed after {done} of {writes}, then {to:?}"
            );
        }
    }
}

#[test]
fn flags_lead_on_the_way_up_and_follow_on_the_way_down() {
    let policy = policy();
    for (from, to) in (0..4).flat_map(|from| ENDS.map(|to| (from, to))) {
        let mut cluster = Cluster::new();
        cluster.settle(&policy, level(from));
        let plan = cluster.plan(&policy, wanted(to));
        let Some(flags) = plan
            .writes
            .iter()
            .position(|write| !matches!(write, Write::Scale { .. }))
        else {
            assert_eq!(Some(from), to, "a change of level writes the flags");
            continue;
        };
        let place = if to.unwrap_or(0) < from {
            plan.writes.len() - 1
        } else {
            0
        };
        assert_eq!(flags, place, "{from} to {to:?}: {:?}", plan.writes);
    }
}

#[test]
fn the_record_has_every_number_before_it_is_written_over() {
    let policy = policy();
    for (from, to) in (0..4).flat_map(|from| ENDS.map(|to| (from, to))) {
        let mut cluster = Cluster::new();
        cluster.settle(&policy, level(from));
        let plan = cluster.plan(&policy, wanted(to));
        for write in &plan.writes {
            let Write::Scale { workload, .. } = write else {
                continue;
            };
            let recorded = plan
                .record
                .iter()
                .find(|b| b.workload == *workload)
                .unwrap();
            assert_eq!(recorded.replicas, Cluster::new().replicas[&workload.name]);
        }
    }
}

#[test]
fn an_incident_and_its_end_leave_all_as_it_was() {
    let policy = policy();
    let mut cluster = Cluster::new();
    for to in [0, 1, 3, 2, 3, 1, 0, 2, 0] {
        cluster.settle(&policy, level(to));
        assert_eq!(cluster.level(), to);
        assert!(cluster.plan(&policy, level(to)).writes.is_empty());
    }
    assert_eq!(cluster.replicas, Cluster::new().replicas);
    assert!(cluster.baselines.is_empty());
}

#[test]
fn a_persons_number_survives_a_crash_and_the_incident() {
    let policy = policy();
    for crash in [false, true] {
        let mut cluster = Cluster::new();
        cluster.settle(&policy, level(2));
        cluster.set("a", 7);
        cluster.set("b", 10);
        if crash {
            cluster.crash();
        }
        cluster.settle(&policy, level(2));
        assert_eq!(cluster.replicas["a"], 0);
        assert_eq!(cluster.replicas["b"], 15);
        cluster.settle(&policy, level(0));
        assert_eq!(
            (cluster.replicas["a"], cluster.replicas["b"]),
            (7, 10),
            "crash: {crash}"
        );
    }
}
