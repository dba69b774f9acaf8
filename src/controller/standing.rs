//! Where each policy stands, in memory: what deciding remembers, what was last seen, what is to be
//! reported. One home for it, shared by the decider, the reconciler and the live port.

mod notice;
mod written;

pub use notice::Notice;
pub use written::{SetAutoscaler, Written};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

use super::failing::Failing;
use super::hand::{NoHold, Pin};
use super::late::HandedBack;
use super::observe;
use super::record::{Record, words};
use super::restore::Remembered;
use super::scaling::Moved;
use super::understand::Understood;
use crate::api::BotDegradationPolicy;
use crate::decide::{Damping, Decision, Memory, Reading};
use crate::plan::{Baseline, Part, Refusal, SetBack};
use crate::policy::{Mode, Policy, Workload};
use crate::prometheus::advice::Advice;
use crate::prometheus::observed::Observed;
use crate::prometheus::poller::{PolicyKey, SubscriptionId};
use crate::prometheus::signals::SignalQueries;
use crate::prometheus::tenancy::Tenant;
use crate::time::Time;

/// A policy that is understood, and where it stands.
pub struct Standing {
    /// The object's uid: one deleted and made again is another policy.
    pub uid: String,
    /// The generation that `policy` was read from.
    pub generation: i64,
    /// The spec, understood.
    pub policy: Arc<Policy>,
    /// What its signals ask.
    pub queries: Arc<[SignalQueries]>,
    /// Whose series that reads; everybody's where it is nobody.
    pub tenant: Option<Tenant>,
    /// What deciding remembers.
    pub memory: Memory,
    /// What status tells of the levels.
    pub record: Record,
    /// Whether it is being decided on.
    pub phase: Phase,
    /// Whether its timers are being rebuilt right now.
    pub rebuilding: bool,
    /// The subscription whose observations are decided on.
    pub subscription: Option<SubscriptionId>,
    /// When the object was made: no timer reaches further back.
    pub created: Time,
    /// Since when a signal was Unknown before this process began; `None` once the timers are rebuilt.
    pub remembered_unknown_since: Option<Time>,
    /// The last tick.
    pub last: Option<Tick>,
    /// Whether it has been blind since status began.
    pub was_blind: bool,
    /// The signal whose query the server rejected at the last tick, by index.
    pub rejected: Option<usize>,
    /// What the poller found out about the signals.
    pub advice: Vec<Advice>,
    /// Whether an earlier process has told of the advice that there is.
    pub advice_told: bool,
    /// What this process last wrote to each workload.
    pub written: HashMap<Workload, Written>,
    /// How this process last set the autoscaler of each workload.
    pub set: HashMap<Workload, SetAutoscaler>,
    /// Targets that a late write may still find as they were.
    pub handed_back: HandedBack,
    /// Baselines, as status will have them.
    pub baselines: Vec<Baseline>,
    /// Events to publish with the next report.
    pub notices: Vec<Notice>,
    /// The object as it was first acted on, or as our own last write left it; the watch may be behind.
    pub newest: Option<Arc<BotDegradationPolicy>>,
    /// What keeps it from being Ready, as last reported.
    pub refusals: Vec<Refusal>,
    /// Writes that fail, and how often in a row.
    pub failing: Failing,
    /// When this process first tried to hand everything back for good.
    pub handing_back_since: Option<Time>,
}

/// Whether a policy is being decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its timers are being rebuilt from the past.
    Restoring,
    /// Each tick is decided.
    Deciding,
    /// Paused, or its spec or source cannot be used: the level holds.
    Resting,
}

/// A tick as it was decided.
pub struct Tick {
    /// What was read, one per signal.
    pub observed: Vec<Observed>,
    /// The same, reduced to what was decided on.
    pub readings: Vec<Reading>,
    /// What was concluded.
    pub decision: Decision,
}

/// The part of a standing that status shows and that a tick can change besides the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outward {
    unknown_since: Option<Time>,
    damping: Damping,
    flapping: bool,
    rejected: Option<usize>,
    blind: bool,
}

impl Standing {
    /// A policy that this process has not known, as it is remembered.
    pub fn new(
        object: &BotDegradationPolicy,
        understood: Understood,
        remembered: Remembered,
        phase: Phase,
    ) -> Self {
        let generation = object.metadata.generation.unwrap_or_default();
        Self {
            uid: object.uid().unwrap_or_default(),
            generation,
            policy: understood.policy,
            queries: understood.queries,
            tenant: understood.tenant,
            memory: remembered.memory,
            record: remembered.record,
            phase,
            rebuilding: false,
            subscription: None,
            created: object
                .creation_timestamp()
                .map(|at| Time::from(at.0))
                .unwrap_or_default(),
            remembered_unknown_since: remembered.unknown_since,
            last: None,
            was_blind: remembered.was_blind,
            rejected: remembered.rejected,
            advice: Vec::new(),
            advice_told: remembered.generation == Some(generation),
            written: HashMap::new(),
            set: HashMap::new(),
            handed_back: HandedBack::default(),
            baselines: remembered.baselines,
            notices: Vec::new(),
            newest: Some(Arc::new(object.clone())),
            refusals: Vec::new(),
            failing: Failing::default(),
            handing_back_since: None,
        }
    }

    /// The object as it was last read or written, where what the watch has is older.
    pub fn newer(&self, watched: &BotDegradationPolicy) -> Option<Arc<BotDegradationPolicy>> {
        let version = |object: &BotDegradationPolicy| object.resource_version().unwrap_or_default();
        let known = self.newest.as_ref()?;
        let newer =
            known.uid() == watched.uid() && observe::older(&version(watched), &version(known));
        newer.then(|| Arc::clone(known))
    }

    /// Stops deciding: the level holds.
    pub fn rest(&mut self) {
        self.phase = Phase::Resting;
        self.subscription = None;
        self.last = None;
    }

    /// Waits for its source. Timers that are still to be rebuilt are rebuilt once it is there.
    pub fn wait_for_source(&mut self) {
        if self.phase != Phase::Restoring {
            self.rest();
        }
    }

    /// What a tick can change besides the record.
    pub fn outward(&self) -> Outward {
        Outward {
            unknown_since: self.unknown_since(),
            damping: self.memory.damping,
            flapping: self.memory.damping.held_since.is_some(),
            rejected: self.rejected,
            blind: self.record.blind.is_some(),
        }
    }

    /// Since when a signal that is compared has been Unknown: the earliest one that names no feature,
    /// else the earliest. Status keeps it, so that a restart makes blindness no later.
    pub fn unknown_since(&self) -> Option<Time> {
        let earliest = |names_feature: bool| {
            let compared = |signal: usize| self.policy.comparisons().any(|c| c.signal == signal);
            let signals = self
                .policy
                .signals
                .iter()
                .zip(&self.memory.signals)
                .enumerate();
            signals
                .filter(|(i, (signal, _))| {
                    signal.feature.is_some() == names_feature && compared(*i)
                })
                .filter_map(|(_, (_, memory))| memory.unknown_since)
                .min()
        };
        // One tick without a reading is not worth a write yet: it may be the only one.
        let last = self.last.as_ref().map(|tick| tick.decision.at);
        earliest(false)
            .or_else(|| earliest(true))
            .filter(|since| last.is_none_or(|last| last > *since))
            .or(self.remembered_unknown_since)
    }

    /// Takes in an edited spec, or that it may read other series now: the level is kept by its name,
    /// equal comparisons keep their times unless they are of other series.
    pub fn edit(&mut self, understood: Understood, generation: i64, now: Time) {
        let Understood {
            policy,
            queries,
            tenant,
        } = understood;
        let (old, from) = (Arc::clone(&self.policy), self.memory.level);
        self.memory = self.memory.carry_over(&old, &policy, now);
        let resumes = old.mode == Mode::Paused && policy.mode != Mode::Paused;
        if resumes || self.tenant != tenant {
            self.memory.reset_times();
            self.remembered_unknown_since = None;
        }
        self.rename_history(&old, &policy);
        self.policy = policy;
        self.queries = queries;
        self.tenant = tenant;
        // What was asked for the old spec is no answer to the new one.
        self.subscription = None;
        self.generation = generation;
        self.last = None;
        self.advice.clear();
        self.advice_told = false;
        self.rejected = None;
        self.end_contests();
        let kept = self.policy.level_name(self.memory.level) == old.level_name(from);
        let why = if kept {
            words::MODE_CHANGED
        } else {
            words::SPEC_CHANGED
        };
        self.record.settle(&self.policy, &self.memory, now, why);
    }

    /// Targets that were left alone are tried again: what is there now is nobody's set-back.
    pub fn end_contests(&mut self) {
        for baseline in &mut self.baselines {
            if baseline.contested_by.take().is_some() {
                self.written.remove(&baseline.workload);
                self.set.remove(&baseline.workload);
            }
            baseline.set_backs.clear();
        }
    }

    /// Takes in a pin, or that none holds.
    pub fn hand(&mut self, held: &Result<Option<Pin>, NoHold>, now: Time) {
        let pin = held.as_ref().ok().and_then(Option::as_ref);
        self.record.pin = pin.cloned();
        match (pin, self.memory.pinned) {
            (Some(pin), pinned) if pinned != Some(pin.level) => {
                self.memory.pin(pin.level);
                self.record
                    .moved(&self.policy, &self.memory, now, words::PINNED, "pin");
                let note = pin.sentence(&self.policy);
                self.notice(false, words::PINNED, "Pin", note);
            }
            (None, Some(level)) => {
                self.memory.unpin(now);
                self.record
                    .moved(&self.policy, &self.memory, now, words::UNPINNED, "pin");
                // One whose time is over has an Event of its own.
                let over = held
                    .as_ref()
                    .err()
                    .and_then(|problem| problem.over.as_ref());
                if over.is_none_or(|pin| pin.level != level) {
                    let name = self.policy.level_name(level);
                    let note = format!("the pin to {name} holds no more: {}", self.course());
                    self.notice(false, words::UNPINNED, "Unpin", note);
                }
            }
            _ => {}
        }
    }

    /// What becomes of the level while no pin holds.
    pub fn course(&self) -> String {
        let applied = self.policy.level_name(self.record.level);
        if self.policy.mode == Mode::Paused {
            return format!("the policy is Paused and stays at {applied}");
        }
        if self.phase == Phase::Resting {
            return format!("it stays at {applied} until the policy can be decided on again");
        }
        let decided = self.policy.level_name(self.memory.level);
        format!("deciding goes on from {decided}")
    }

    /// Remembers to publish an Event.
    pub fn notice(
        &mut self,
        warning: bool,
        reason: &'static str,
        action: impl Into<String>,
        note: String,
    ) {
        self.notices.push(Notice {
            warning,
            reason,
            action: action.into(),
            note,
        });
    }

    /// Takes in what was written about a workload.
    pub fn moved(&mut self, workload: Workload, moved: Moved) {
        self.handed_back.wrote(&workload, &moved);
        match moved {
            Moved::Scaled(written) => _ = self.written.insert(workload, written),
            Moved::Set(set) => _ = self.set.insert(workload, set),
        }
    }

    /// Takes in that somebody has set something back: it is no longer as we wrote it, and the next time
    /// counts when something of ours is there again.
    pub fn set_back(&mut self, set_back: &SetBack) {
        match set_back.part {
            Part::Replicas => _ = self.written.remove(&set_back.workload),
            Part::Autoscaler => _ = self.set.remove(&set_back.workload),
        }
    }

    /// The record speaks in level numbers: after an edit they are those of the new ladder.
    fn rename_history(&mut self, old: &Policy, new: &Policy) {
        let names: Vec<&str> = new.levels.iter().map(|level| level.name.as_str()).collect();
        let old_names: Vec<&str> = old.levels.iter().map(|level| level.name.as_str()).collect();
        let renumber = |level| crate::decide::level_after_edit(&old_names, &names, level);
        self.record.level = renumber(self.record.level);
        self.record.desired = renumber(self.record.desired);
    }
}

impl Outward {
    /// Whether the policy is blind.
    pub fn is_blind(&self) -> bool {
        self.blind
    }
}

/// Every policy's standing.
#[derive(Default)]
pub struct Standings(Mutex<HashMap<PolicyKey, Standing>>);

impl Standings {
    /// The map, for as short as possible: never across an await.
    pub fn lock(&self) -> MutexGuard<'_, HashMap<PolicyKey, Standing>> {
        // A panic while it was held leaves one policy's standing half updated, not the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on one standing, where there is one.
    pub fn with<T>(&self, key: &PolicyKey, work: impl FnOnce(&mut Standing) -> T) -> Option<T> {
        self.lock().get_mut(key).map(work)
    }
}

#[cfg(test)]
pub(super) mod tests;
