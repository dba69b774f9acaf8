//! Writes that come late: of a leader that is none any more, or of our own that was given up unanswered.
//!
//! Each write is fenced by the version that it was decided on, so one that is late is refused as soon as its
//! object has been written since. Where a target was handed back without a write, because the number of
//! before was still there, nothing has been: then a late one lands, on a policy that remembers no baseline.
//! So what was handed back is remembered here for as long as a connection can hold a request up, and what
//! lands after all is given back again. Pure.

use std::collections::HashMap;

use super::observe::older;
use super::scaling::Moved;
use crate::plan::{Baseline, Bounds, Found, Hpa, Kept, Owner, ScaledObject, Target};
use crate::policy::Workload;
use crate::time::{Span, Time};

/// What is sent again and again without an acknowledgement is given up by Linux after about 15 minutes.
const LATEST: Span = Span::from_secs(16 * 60);

/// The targets that a late write may still find as they were.
#[derive(Debug, Default)]
pub struct HandedBack(HashMap<Workload, Left>);

/// How a target was when a plan was last made with its baseline.
#[derive(Debug)]
struct Left {
    baseline: Baseline,
    at: Time,
    number: Option<Was<i32>>,
    bounds: Option<(String, Was<Bounds>)>,
    pause: Option<(String, Was<Option<String>>)>,
}

/// A part of a target, and the version that a write decided on it is fenced by.
#[derive(Debug)]
struct Was<T> {
    uid: String,
    resource_version: String,
    value: T,
}

impl HandedBack {
    /// Takes in how targets are now; gives the baselines of those that a late write has moved. `alone` says
    /// whether no other policy names a target: what bears our name is another's doing there.
    pub fn look(
        &mut self,
        targets: &[Target],
        baselines: &[Baseline],
        alone: impl Fn(&Workload) -> bool,
        now: Time,
    ) -> Vec<Baseline> {
        let mut moved = Vec::new();
        for target in targets {
            let held = baselines.iter().find(|b| b.workload == target.workload);
            if let Some(baseline) = held {
                self.note(target, baseline, now);
            } else if let Some(mut left) = self.0.remove(&target.workload)
                && target.held_by.is_none()
                && alone(&target.workload)
                && now - left.at < LATEST
            {
                match left.judge(target) {
                    State::Moved => moved.push(left.baseline),
                    State::Open => _ = self.0.insert(target.workload.clone(), left),
                    State::Fenced => {}
                }
            }
        }
        moved
    }

    /// A write of ours has succeeded: whatever was decided on an earlier version is refused from now on.
    pub fn wrote(&mut self, workload: &Workload, moved: &Moved) {
        let Some(left) = self.0.get_mut(workload) else {
            return;
        };
        match moved {
            Moved::Scaled(_) => left.number = None,
            Moved::Set(_) => (left.bounds, left.pause) = (None, None),
        }
    }

    /// The `ScaledObject` that a late write may still pause. It is not watched, so it has to be asked for.
    pub fn pausable(&self, workload: &Workload, now: Time) -> Option<&str> {
        let left = self.0.get(workload)?;
        left.pausable().filter(|_| now - left.at < LATEST)
    }

    /// Whether there is such a one among the workloads of which no baseline is held.
    pub fn any_pausable(&self, baselines: &[Baseline], now: Time) -> bool {
        let held = |workload: &Workload| baselines.iter().any(|b| b.workload == *workload);
        let mut free = self.0.keys().filter(|workload| !held(workload));
        free.any(|workload| self.pausable(workload, now).is_some())
    }

    fn note(&mut self, target: &Target, baseline: &Baseline, now: Time) {
        // What was left alone is not given back, so nothing of it is.
        if baseline.contested_by.is_some() {
            self.0.remove(&target.workload);
            return;
        }
        let number = target.found.as_ref().map(|found| Was {
            uid: found.uid.clone(),
            resource_version: found.resource_version.clone(),
            value: found.replicas,
        });
        let bounds = bounded(target, baseline).map(|hpa| {
            let version = Was {
                uid: hpa.uid.clone(),
                resource_version: hpa.resource_version.clone(),
                value: hpa.bounds,
            };
            (hpa.name.clone(), version)
        });
        let pause = paused(target, baseline).map(|object| {
            let version = Was {
                uid: object.uid.clone(),
                resource_version: object.resource_version.clone(),
                value: object.paused.clone(),
            };
            (object.name.clone(), version)
        });
        let left = Left {
            baseline: Baseline {
                set_backs: Vec::new(),
                ..baseline.clone()
            },
            at: now,
            number,
            bounds,
            pause,
        };
        self.0.insert(target.workload.clone(), left);
    }
}

/// What has become of the version that a late write is fenced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is still that one: a late write may land.
    Open,
    /// Others have written since, the object's status included: none can land any more.
    Fenced,
    /// One has landed.
    Moved,
}

impl Left {
    /// Looks at each part; keeps those of which a late write may still land.
    fn judge(&mut self, target: &Target) -> State {
        let (number, bounds, pause) = (
            self.judge_number(target),
            self.judge_bounds(target),
            self.judge_pause(target),
        );
        let all = [number, bounds, pause];
        if all.contains(&Some(State::Moved)) {
            return State::Moved;
        }
        self.number = self.number.take().filter(|_| number == Some(State::Open));
        self.bounds = self.bounds.take().filter(|_| bounds == Some(State::Open));
        self.pause = self.pause.take().filter(|_| pause == Some(State::Open));
        if all.contains(&Some(State::Open)) {
            State::Open
        } else {
            State::Fenced
        }
    }

    fn judge_number(&self, target: &Target) -> Option<State> {
        let was = self.number.as_ref()?;
        let found = target.found.as_ref().filter(|found| found.uid == was.uid);
        Some(found.map_or(State::Fenced, |found| {
            let ours = self.is_ours(found);
            was.against(&found.resource_version, &found.replicas, ours)
        }))
    }

    fn judge_bounds(&self, target: &Target) -> Option<State> {
        let (name, was) = self.bounds.as_ref()?;
        let mut all = target.autoscaling.hpas.iter();
        let same = all.find(|hpa| hpa.name == *name && hpa.uid == was.uid);
        Some(same.map_or(State::Fenced, |hpa| {
            let ours = hpa.min_owner == Owner::Us || hpa.max_owner == Owner::Us;
            was.against(&hpa.resource_version, &hpa.bounds, ours)
        }))
    }

    fn judge_pause(&self, target: &Target) -> Option<State> {
        let (name, was) = self.pause.as_ref()?;
        if target.autoscaling.unreadable.is_some() {
            return Some(State::Open); // it is asked for again
        }
        let object = target.autoscaling.scaled_object.as_ref();
        let same = object.filter(|object| object.name == *name && object.uid == was.uid);
        Some(same.map_or(State::Fenced, |object| {
            let ours = object.owner == Owner::Us;
            was.against(&object.resource_version, &object.paused, ours)
        }))
    }

    fn pausable(&self) -> Option<&str> {
        self.pause.as_ref().map(|(name, _)| name.as_str())
    }

    /// The API server keeps no name of whom a scale to 0 is from: then the rung's own number tells.
    fn is_ours(&self, found: &Found) -> bool {
        match found.owner {
            Owner::Us => true,
            Owner::Nobody => self.baseline.applied == Some(found.replicas),
            Owner::Autoscaler | Owner::Other(_) => false,
        }
    }
}

impl<T: PartialEq> Was<T> {
    fn against(&self, resource_version: &str, value: &T, ours: bool) -> State {
        if !older(&self.resource_version, resource_version) {
            State::Open
        } else if ours && *value != self.value {
            State::Moved
        } else {
            State::Fenced
        }
    }
}

/// The `HorizontalPodAutoscaler` that a baseline is of.
fn bounded<'a>(target: &'a Target, baseline: &Baseline) -> Option<&'a Hpa> {
    let Some(Kept::Bounds { name, .. }) = &baseline.autoscaler else {
        return None;
    };
    target.autoscaling.hpas.iter().find(|hpa| hpa.name == *name)
}

/// The `ScaledObject` that a baseline is of.
fn paused<'a>(target: &'a Target, baseline: &Baseline) -> Option<&'a ScaledObject> {
    let Some(Kept::Paused { name, .. }) = &baseline.autoscaler else {
        return None;
    };
    let object = target.autoscaling.scaled_object.as_ref();
    object.filter(|object| object.name == *name)
}

#[cfg(test)]
mod tests;
