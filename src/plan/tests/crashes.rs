//! Whatever write is the last before a crash, the next process comes to the same end.

use super::cluster::{Cluster, level, policy};
use crate::plan::Wanted;

const ENDS: [Option<usize>; 5] = [Some(0), Some(1), Some(2), Some(3), None];

/// Without autoscalers, with them, and with KEDA's.
fn clusters() -> [Cluster; 3] {
    [Cluster::new(), Cluster::autoscaled(), Cluster::with_keda()]
}

fn wanted(end: Option<usize>) -> Wanted<'static> {
    end.map_or(Wanted::HandBack, level)
}

#[test]
fn a_crash_after_any_write_changes_nothing_in_the_end() {
    let policy = policy();
    let ways = || (0..4).flat_map(|from| ENDS.map(|to| (from, to)));
    for (cluster, (from, to)) in clusters()
        .into_iter()
        .flat_map(|c| ways().map(move |w| (c.clone(), w)))
    {
        let mut start = cluster;
        start.settle(&policy, level(from));
        let mut end = start.clone();
        end.settle(&policy, wanted(to));
        let writes = start.plan(&policy, wanted(to)).writes.len();
        for (done, meanwhile) in (0..=writes).flat_map(|done| [(done, false), (done, true)]) {
            let mut crashed = start.clone();
            let plan = crashed.plan(&policy, wanted(to));
            crashed.carry_out(&plan, done);
            crashed.crash();
            if meanwhile {
                crashed.control();
            }
            crashed.settle(&policy, wanted(to));
            assert!(
                crashed.same_as(&end),
                "{from} to {to:?}, crashed after {done} of {writes}, autoscalers ran: {meanwhile}: \
                 {crashed:#?} is not {end:#?}"
            );
        }
    }
}

/// The level may have moved on by the time the next process acts.
#[test]
fn a_crash_on_the_way_to_another_level_loses_no_baseline() {
    let policy = policy();
    let ways = || (0..4).flat_map(|from| (0..4).map(move |via| (from, via)));
    for (cluster, (from, via)) in clusters()
        .into_iter()
        .flat_map(|c| ways().map(move |w| (c.clone(), w)))
    {
        let mut start = cluster.clone();
        start.settle(&policy, level(from));
        let writes = start.plan(&policy, level(via)).writes.len();
        for (done, to) in (0..=writes).flat_map(|done| ENDS.map(|to| (done, to))) {
            for meanwhile in [false, true] {
                let mut crashed = start.clone();
                let plan = crashed.plan(&policy, level(via));
                crashed.carry_out(&plan, done);
                crashed.crash();
                if meanwhile {
                    crashed.control();
                }
                crashed.settle(&policy, wanted(to));
                crashed.settle(&policy, Wanted::HandBack);
                assert_eq!(
                    (&crashed.replicas, crashed.autoscalers()),
                    (&cluster.replicas, cluster.autoscalers()),
                    "{from} to {via}, crashed after {done} of {writes}, then {to:?}: {:#?}",
                    crashed.baselines
                );
            }
        }
    }
}

#[test]
fn flags_lead_on_the_way_up_and_follow_on_the_way_down() {
    let policy = policy();
    let ways = || (0..4).flat_map(|from| ENDS.map(|to| (from, to)));
    let all = clusters()
        .into_iter()
        .flat_map(|c| ways().map(move |w| (c.clone(), w)));
    for (mut cluster, (from, to)) in all {
        cluster.settle(&policy, level(from));
        let plan = cluster.plan(&policy, wanted(to));
        let Some(flags) = plan
            .writes
            .iter()
            .position(|write| write.workload().is_none())
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
    let ways = || (0..4).flat_map(|from| ENDS.map(|to| (from, to)));
    let all = clusters()
        .into_iter()
        .flat_map(|c| ways().map(move |w| (c.clone(), w)));
    for (mut cluster, (from, to)) in all {
        cluster.settle(&policy, level(from));
        let plan = cluster.plan(&policy, wanted(to));
        for write in &plan.writes {
            let Some(workload) = write.workload() else {
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
    for before in clusters() {
        let mut cluster = before.clone();
        for to in [0, 1, 3, 2, 3, 1, 0, 2, 0] {
            cluster.settle(&policy, level(to));
            assert_eq!(cluster.level(), to);
            assert!(cluster.plan(&policy, level(to)).writes.is_empty());
        }
        assert_eq!(cluster.replicas, before.replicas);
        assert_eq!(cluster.autoscalers(), before.autoscalers());
        assert!(cluster.baselines.is_empty());
    }
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
