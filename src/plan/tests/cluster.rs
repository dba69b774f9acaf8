//! A cluster in memory that does what the API server was seen to do, and a policy to plan for.

use std::collections::BTreeMap;

use crate::flags::{Flags, same_content};
use crate::plan::{
    Baseline, FlagsMap, Found, FoundMap, Owner, Plan, Situation, Target, Wanted, Write, plan,
};
use crate::policy::{
    Feature, Level, Missing, Mode, Policy, Quantifier, Recovery, Replicas, ScaleTarget, State,
    Tier, Values, When, Workload, WorkloadKind,
};
use crate::time::{Span, Time};

pub(super) const NOW: Time = Time::from_millis(1_000_000);

pub(super) fn workload(name: &str) -> Workload {
    let kind = match name {
        "c" => WorkloadKind::StatefulSet,
        _ => WorkloadKind::Deployment,
    };
    Workload {
        kind,
        name: name.to_owned(),
    }
}

/// Three rungs; `a` is scaled by all, `b` by the upper two, `c` by the last. Each switches off one
/// more feature.
pub(super) fn policy() -> Policy {
    let scales: [&[(&str, Replicas)]; 3] = [
        &[("a", Replicas::Count(0))],
        &[("b", Replicas::Percent(150))],
        &[
            ("a", Replicas::Count(1)),
            ("b", Replicas::Percent(50)),
            ("c", Replicas::Count(0)),
        ],
    ];
    let level = |(i, scale): (usize, &&[(&str, Replicas)])| Level {
        name: format!("rung-{}", i + 1),
        when: When {
            quantifier: Quantifier::Any,
            comparisons: Vec::new(),
        },
        scale: scale
            .iter()
            .map(|(name, replicas)| target(name, *replicas))
            .collect(),
    };
    let feature = |name: &str| Feature {
        name: name.to_owned(),
        tier: Tier::Luxury,
        values: Values::Boolean,
    };
    let state = |off| if off { State::Disabled } else { State::Enabled };
    Policy {
        namespace: "bots".to_owned(),
        name: "bot".to_owned(),
        mode: Mode::Enforce,
        interval: Span::from_secs(15),
        source: "default".to_owned(),
        max_level: None,
        signals: Vec::new(),
        features: ["f1", "f2", "f3"].map(feature).into(),
        levels: scales.iter().enumerate().map(level).collect(),
        recovery: Recovery {
            after: Span::from_secs(300),
            tolerance: 0.1,
        },
        missing: Missing {
            after: Span::from_secs(180),
            then: None,
        },
        config_map: "bot-flags".to_owned(),
        states: (0..4)
            .map(|level| (0..3).map(|f| state(f < level)).collect())
            .collect(),
    }
}

fn target(name: &str, replicas: Replicas) -> ScaleTarget {
    ScaleTarget {
        workload: workload(name),
        replicas,
    }
}

pub(super) fn level(level: usize) -> Wanted<'static> {
    Wanted::Level {
        level,
        since: Some(NOW),
        reason: "because",
    }
}

/// The cluster, and what the operator remembers in status and in memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    pub(super) map: Option<FoundMap>,
    pub(super) replicas: BTreeMap<String, i32>,
    owners: BTreeMap<String, Owner>,
    pub(super) baselines: Vec<Baseline>,
    epoch: i64,
    written: BTreeMap<String, i32>,
    version: u64,
}

impl Cluster {
    /// As people made it: 2, 3 and 4 replicas, and no flags yet.
    pub(super) fn new() -> Self {
        let replicas = [("a", 2), ("b", 3), ("c", 4)];
        Self {
            map: None,
            replicas: replicas.map(|(name, n)| (name.to_owned(), n)).into(),
            owners: replicas
                .map(|(name, _)| (name.to_owned(), Owner::Other("kubectl".into())))
                .into(),
            baselines: Vec::new(),
            epoch: 0,
            written: BTreeMap::new(),
            version: 1,
        }
    }

    pub(super) fn plan(&self, policy: &Policy, wanted: Wanted<'_>) -> Plan {
        let found = |(name, replicas): (&String, &i32)| Target {
            workload: workload(name),
            found: Some(Found {
                uid: name.clone(),
                resource_version: self.version.to_string(),
                replicas: *replicas,
                owner: self.owners[name].clone(),
            }),
            held_by: None,
            written: self.written.get(name).copied(),
            set_backs: 0,
        };
        let targets: Vec<Target> = self.replicas.iter().map(found).collect();
        plan(&Situation {
            policy,
            wanted,
            config_map: &self.map.clone().map_or(FlagsMap::Absent, FlagsMap::Ours),
            epoch: self.epoch,
            targets: &targets,
            baselines: &self.baselines,
            now: NOW,
        })
    }

    /// Carries the first writes of a plan out; with all of them done, what came of it is in status.
    pub(super) fn carry_out(&mut self, plan: &Plan, writes: usize) {
        if !plan.writes.is_empty() {
            self.baselines.clone_from(&plan.record);
        }
        for write in &plan.writes[..writes] {
            self.write(write);
        }
        if writes == plan.writes.len() {
            self.baselines.clone_from(&plan.settled);
            self.epoch = plan
                .published
                .as_ref()
                .map_or(0, |published| published.epoch);
        }
    }

    /// Runs to the end, or says that there is none.
    pub(super) fn settle(&mut self, policy: &Policy, wanted: Wanted<'_>) {
        for _ in 0..5 {
            let plan = self.plan(policy, wanted);
            self.carry_out(&plan, plan.writes.len());
            if plan.writes.is_empty() {
                return;
            }
        }
        panic!("still writing: {:?}", self.plan(policy, wanted));
    }

    /// The process ends; what it had in memory is lost.
    pub(super) fn crash(&mut self) {
        self.written.clear();
    }

    pub(super) fn level(&self) -> usize {
        let map = self.map.as_ref().unwrap();
        Flags::decode(&map.data).unwrap().level
    }

    /// Somebody else sets a number.
    pub(super) fn set(&mut self, name: &str, replicas: i32) {
        self.replicas.insert(name.to_owned(), replicas);
        self.owners
            .insert(name.to_owned(), Owner::Other("argocd".into()));
        self.version += 1;
    }

    /// Whether two clusters are the same to those who use them.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let maps = match (&self.map, &other.map) {
            (Some(a), Some(b)) => a.claimed == b.claimed && same_content(&a.data, &b.data),
            (a, b) => a.is_none() && b.is_none(),
        };
        maps && self.replicas == other.replicas && self.baselines == other.baselines
    }

    fn write(&mut self, write: &Write) {
        let (data, claimed) = match write {
            Write::CreateFlags { data } => {
                assert!(self.map.is_none(), "POST of what exists");
                (data, true)
            }
            Write::ReplaceFlags {
                uid,
                resource_version,
                data,
                release,
            } => {
                let map = self.map.as_ref().unwrap();
                assert_eq!((uid, resource_version), (&map.uid, &map.resource_version));
                (data, !release)
            }
            Write::Scale { workload, to, .. } => return self.scale(&workload.name, *to),
        };
        self.version += 1;
        self.map = Some(FoundMap {
            uid: "map".to_owned(),
            resource_version: self.version.to_string(),
            claimed,
            data: data.clone(),
            binary: false,
        });
    }

    /// A 0 is tracked as nobody's, and so is all that comes after it.
    fn scale(&mut self, name: &str, to: i32) {
        assert_ne!(self.replicas[name], to, "a write that changes nothing");
        let tracked = to != 0 && self.owners[name] != Owner::Nobody;
        let owner = if tracked { Owner::Us } else { Owner::Nobody };
        self.version += 1;
        self.replicas.insert(name.to_owned(), to);
        self.owners.insert(name.to_owned(), owner);
        self.written.insert(name.to_owned(), to);
    }
}
