//! A cluster in memory that does what the API server was seen to do, and a policy to plan for.

use std::collections::BTreeMap;

use crate::flags::{Flags, same_content};
use crate::plan::{
    Autoscaling, Baseline, Bounds, FlagsMap, Found, FoundMap, Hpa, Owner, Plan, ScaledObject,
    Situation, Target, Wanted, Write, plan,
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
            ("c", Replicas::Count(1)),
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
    pub(super) autoscaling: BTreeMap<String, Autoscaling>,
    /// Whether KEDA makes the autoscalers.
    keda: bool,
}

/// What autoscalers had before any incident.
const BOUNDS: [(&str, Bounds); 3] = [
    ("a", Bounds { min: 1, max: 4 }),
    ("b", Bounds { min: 3, max: 10 }),
    ("c", Bounds { min: 2, max: 6 }),
];

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
            autoscaling: BTreeMap::new(),
            keda: false,
        }
    }

    /// The same with an autoscaler on each workload.
    pub(super) fn autoscaled() -> Self {
        let mut cluster = Self::new();
        for (name, bounds) in BOUNDS {
            cluster.autoscale(name, bounds, "helm");
        }
        cluster
    }

    /// The same with KEDA.
    pub(super) fn with_keda() -> Self {
        let mut cluster = Self {
            keda: true,
            ..Self::new()
        };
        for (name, _) in BOUNDS {
            let object = ScaledObject {
                name: name.to_owned(),
                uid: "object".to_owned(),
                resource_version: "1".to_owned(),
                paused: None,
                owner: Owner::Nobody,
                written: false,
            };
            let autoscaling = cluster.autoscaling.entry(name.to_owned()).or_default();
            autoscaling.scaled_object = Some(object);
        }
        cluster.control();
        cluster
    }

    /// Somebody makes an autoscaler, or sets the bounds of the one that there is.
    pub(super) fn autoscale(&mut self, name: &str, bounds: Bounds, by: &str) {
        let autoscaling = self.autoscaling.entry(name.to_owned()).or_default();
        let object = autoscaling.scaled_object.as_ref();
        autoscaling.hpas = vec![Hpa {
            name: format!("{name}-hpa"),
            uid: "hpa".to_owned(),
            resource_version: "1".to_owned(),
            holds: true,
            made_by: object.map(|object| object.name.clone()),
            bounds,
            min_owner: Owner::Other(by.to_owned()),
            max_owner: Owner::Other(by.to_owned()),
            written: None,
        }];
    }

    /// The autoscalers' controllers run once, without metrics: KEDA makes and deletes, the others clamp.
    pub(super) fn control(&mut self) {
        for (name, bounds) in BOUNDS {
            if self.keda {
                self.control_keda(name, bounds);
            }
            let hpa = self.autoscaling.get(name).and_then(|a| a.hpas.first());
            let replicas = self.replicas[name];
            if let Some(Hpa { bounds, .. }) = hpa.filter(|_| replicas != 0) {
                self.clamped(name, replicas.clamp(bounds.min, bounds.max));
            }
        }
    }

    fn control_keda(&mut self, name: &str, bounds: Bounds) {
        let autoscaling = self.autoscaling.get_mut(name).unwrap();
        let paused = autoscaling.scaled_object.as_ref().unwrap().paused.clone();
        match paused {
            Some(number) => {
                autoscaling.hpas.clear();
                self.clamped(name, number.parse().unwrap());
            }
            None if autoscaling.hpas.is_empty() => self.autoscale(name, bounds, "keda"),
            None => {}
        }
    }

    fn clamped(&mut self, name: &str, to: i32) {
        if self.replicas[name] != to {
            self.version += 1;
            self.replicas.insert(name.to_owned(), to);
            let tracked = to != 0 && self.owners[name] != Owner::Nobody;
            let owner = if tracked {
                Owner::Other("whatever they are called".to_owned())
            } else {
                Owner::Nobody
            };
            self.owners.insert(name.to_owned(), owner);
        }
    }

    /// The bounds and pauses, to be compared.
    pub(super) fn autoscalers(&self) -> Vec<(Option<Bounds>, Option<String>)> {
        let of = |a: &Autoscaling| {
            let object = a.scaled_object.as_ref();
            (
                a.hpas.first().map(|hpa| hpa.bounds),
                object.and_then(|object| object.paused.clone()),
            )
        };
        self.autoscaling.values().map(of).collect()
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
            autoscaling: self.autoscaling.get(name).cloned().unwrap_or_default(),
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

    /// Runs to the end, or says that there is none. The autoscalers' controllers run in between.
    pub(super) fn settle(&mut self, policy: &Policy, wanted: Wanted<'_>) {
        for _ in 0..5 {
            let plan = self.plan(policy, wanted);
            self.carry_out(&plan, plan.writes.len());
            self.control();
            if plan.writes.is_empty() && self.plan(policy, wanted).writes.is_empty() {
                return;
            }
        }
        panic!("still writing: {:?}", self.plan(policy, wanted));
    }

    /// The process ends; what it had in memory is lost.
    pub(super) fn crash(&mut self) {
        self.written.clear();
        for autoscaling in self.autoscaling.values_mut() {
            for hpa in &mut autoscaling.hpas {
                hpa.written = None;
            }
            if let Some(object) = &mut autoscaling.scaled_object {
                object.written = false;
            }
        }
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
        maps && self.replicas == other.replicas
            && self.baselines == other.baselines
            && self.autoscalers() == other.autoscalers()
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
            Write::Bounds { workload, to, .. } => return self.bound(&workload.name, *to),
            Write::Pause { workload, to, .. } => return self.pause(&workload.name, to.clone()),
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

    /// Who sets a bound to what it is already does not become its owner.
    fn bound(&mut self, name: &str, to: Bounds) {
        assert!(to.min <= to.max, "the API server refuses {to:?}");
        let hpa = &mut self.autoscaling.get_mut(name).unwrap().hpas[0];
        assert_ne!(hpa.bounds, to, "a write that changes nothing");
        if hpa.bounds.min != to.min {
            hpa.min_owner = Owner::Us;
        }
        if hpa.bounds.max != to.max {
            hpa.max_owner = Owner::Us;
        }
        (hpa.bounds, hpa.written) = (to, Some(to));
    }

    fn pause(&mut self, name: &str, to: Option<String>) {
        let object = self.autoscaling.get_mut(name).unwrap();
        let object = object.scaled_object.as_mut().unwrap();
        assert_ne!(object.paused, to, "a write that changes nothing");
        object.owner = to.as_ref().map_or(Owner::Nobody, |_| Owner::Us);
        (object.paused, object.written) = (to, true);
    }
}
