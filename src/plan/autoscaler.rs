//! What scales a workload by itself: its bounds are moved, or it is paused, instead of being fought.
//!
//! A `HorizontalPodAutoscaler` clamps to its bounds before it looks at any metric, and stands still
//! at 0. KEDA writes the bounds of the ones it makes anew, so it is paused itself.

mod keep;

pub(super) use keep::{UNNAMED, bounds_then, chose, give_back, keep, set, stray};

use super::{Owner, Refusal};

/// The bounds of a `HorizontalPodAutoscaler`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `spec.minReplicas`; the API server defaults it to 1.
    pub min: i32,
    /// `spec.maxReplicas`.
    pub max: i32,
}

/// What scales a workload by itself, as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autoscaling {
    /// The `HorizontalPodAutoscaler`s that name the workload, and the one that the baseline names.
    pub hpas: Vec<Hpa>,
    /// KEDA's `ScaledObject`, where there is one that made an autoscaler or that the baseline names.
    pub scaled_object: Option<ScaledObject>,
    /// Why it cannot be told, in a sentence that does not change by itself.
    pub unreadable: Option<Refusal>,
}

/// A `HorizontalPodAutoscaler` as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hpa {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Whether it names the workload; one that the baseline names may no longer do so.
    pub holds: bool,
    /// The `ScaledObject` that made it.
    pub made_by: Option<String>,
    /// Its bounds.
    pub bounds: Bounds,
    /// Who set the lower one last.
    pub min_owner: Owner,
    /// Who set the upper one last.
    pub max_owner: Owner,
    /// The bounds that this process last wrote, until somebody sets them back.
    pub written: Option<Bounds>,
}

/// KEDA's `ScaledObject` as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaledObject {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The annotation that pauses it at a number.
    pub paused: Option<String>,
    /// Who set that annotation last.
    pub owner: Owner,
    /// Whether this process has paused it, and nobody has taken that back since.
    pub written: bool,
}

/// How an autoscaler was set before the policy touched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The bounds of a `HorizontalPodAutoscaler`.
    Bounds {
        /// Its name.
        name: String,
        /// Its bounds.
        bounds: Bounds,
    },
    /// The annotation on a `ScaledObject`.
    Paused {
        /// Its name.
        name: String,
        /// The annotation; `None` where there was none.
        before: Option<String>,
    },
}

/// The one that scales a workload now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holder<'a> {
    Nobody,
    Hpa(&'a Hpa),
    Keda(&'a ScaledObject),
    /// More than one, which Kubernetes lets clamp but not scale; or it cannot be told.
    Unclear,
}

impl Autoscaling {
    /// The one that scales the workload now.
    pub(super) fn holder(&self) -> Holder<'_> {
        if self.unreadable.is_some() {
            return Holder::Unclear;
        }
        let mut holding = self.hpas.iter().filter(|hpa| hpa.holds);
        let made = |hpa: &Hpa, by: &ScaledObject| hpa.made_by.as_ref() == Some(&by.name);
        match (holding.next(), holding.next(), &self.scaled_object) {
            (None, _, None) => Holder::Nobody,
            (None, _, Some(paused)) => Holder::Keda(paused),
            (Some(hpa), None, Some(by)) if made(hpa, by) => Holder::Keda(by),
            (Some(hpa), None, None) => Holder::Hpa(hpa),
            (Some(_), ..) => Holder::Unclear,
        }
    }

    /// Why nothing is done with a workload whose holder is unclear.
    pub(super) fn why_unclear(&self) -> String {
        let hpas = self.hpas.iter().filter(|hpa| hpa.holds);
        let hpas = hpas.map(|hpa| format!("the HorizontalPodAutoscaler {}", hpa.name));
        let object = self.scaled_object.as_ref();
        let object = object.map(|object| format!("the ScaledObject {}", object.name));
        hpas.chain(object).collect::<Vec<_>>().join(" and ")
    }
}

impl Holder<'_> {
    /// Whether a number that an autoscaler chose instead of `to` is more than an aftermath. Kubernetes'
    /// acts on bounds that it read a moment ago, and comes round by itself; under KEDA's pause there is
    /// none, unless KEDA does not run; and where none is known there is none.
    pub(super) fn defies(self, to: i32) -> bool {
        match self {
            Holder::Hpa(_) | Holder::Unclear => false,
            Holder::Keda(object) => object.paused == Some(to.to_string()),
            Holder::Nobody => true,
        }
    }

    /// The numbers that are as good as `to`, being the autoscaler's own choice within its bounds.
    pub(super) fn lets(self, kept: Option<&Kept>, base: i32, to: i32, found: i32) -> bool {
        match (self, kept) {
            (Holder::Hpa(_), Some(Kept::Bounds { bounds, .. })) if to > 0 && found > 0 => {
                bounds.moved(base, to).contains(found)
            }
            _ => found == to,
        }
    }
}

impl Bounds {
    /// These bounds moved so that the autoscaler stays at or beyond a number: at most it on the way
    /// down from `base`, at least it on the way up, and just it where that is the number there was. To
    /// 0 they stay: there it stands still by its own rule, unless 0 is within its bounds.
    #[must_use]
    pub fn moved(self, base: i32, to: i32) -> Self {
        match to.cmp(&base) {
            _ if to == 0 => Self {
                min: self.min.max(1),
                ..self
            },
            std::cmp::Ordering::Less => Self {
                min: self.min.min(to),
                max: to,
            },
            std::cmp::Ordering::Equal => Self { min: to, max: to },
            std::cmp::Ordering::Greater => Self {
                min: to,
                max: self.max.max(to),
            },
        }
    }

    /// Whether a number lies between them.
    pub fn contains(self, replicas: i32) -> bool {
        (self.min..=self.max).contains(&replicas)
    }

    /// The number to go back to: within the bounds, unless somebody had put the workload to sleep.
    pub fn restored(self, replicas: i32) -> i32 {
        if replicas == 0 {
            return 0;
        }
        replicas.clamp(self.min.min(self.max), self.max)
    }
}

impl Kept {
    /// What a tool is to keep its hands off, besides `spec.replicas`.
    pub(super) fn fields(&self) -> String {
        match self {
            Self::Bounds { name, .. } => format!(
                "spec.replicas, and spec.minReplicas and spec.maxReplicas of the HorizontalPodAutoscaler {name}"
            ),
            Self::Paused { name, .. } => format!(
                "spec.replicas, and the annotation autoscaling.keda.sh/paused-replicas of the ScaledObject {name}"
            ),
        }
    }
}
