//! A case: where in the story something goes wrong, and what.

use e2e::fault_proxy::Rule;

/// As the API server names them.
pub(crate) const AUTOSCALERS: &str = "horizontalpodautoscalers";

/// Where in the story the fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the operator is started, over policies that are there already.
    Start,
    /// Before the policy is made.
    Create,
    /// At Normal, before the metrics get bad.
    Escalate,
    /// The same, once it has been up and down before.
    Again,
    /// At the top, before the metrics get good.
    Recover,
    /// At the top, before the policy is deleted.
    Delete,
    /// At the top (or on the way there), before somebody changes an object of this kind.
    Change(Kind),
}

/// What the operator watches: each case holds that it watches nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Policies,
    ConfigMaps,
    Deployments,
    StatefulSets,
    Autoscalers,
    MetricsSources,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Policies,
        Self::ConfigMaps,
        Self::Deployments,
        Self::StatefulSets,
        Self::Autoscalers,
        Self::MetricsSources,
    ];

    /// As cases are named.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::ConfigMaps => "configmaps",
            Self::Deployments => "deployments",
            Self::StatefulSets => "statefulsets",
            Self::Autoscalers => "autoscalers",
            Self::MetricsSources => "metricssources",
        }
    }

    /// As the API server names it.
    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::Policies => "botdegradationpolicies",
            Self::Autoscalers => AUTOSCALERS,
            other => other.name(),
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Rules of the proxy, in force until what they concern has been hit and a while has passed.
    Rules(Vec<Rule>),
    /// The same, in force until the operator has listed the kind that changes once more.
    UntilListed(Vec<Rule>),
    /// The same, in force for so many seconds.
    For(u64, Vec<Rule>),
    /// The same, in force until all is right: what must not matter at all.
    Lasting(Vec<Rule>),
    /// The operator is killed around a write (counted from 1), and started again.
    Crash {
        write: usize,
        /// Whether the write is carried out.
        after: bool,
    },
}

/// A case.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // each says another thing of a case, and all go together
pub(crate) struct Case {
    pub(crate) name: String,
    /// Whether it belongs to every test run.
    pub(crate) everyday: bool,
    pub(crate) stage: Stage,
    pub(crate) what: What,
    /// Whether one of the workloads has an autoscaler.
    pub(crate) autoscaled: bool,
    /// Whether another policy must go on being decided on meanwhile.
    pub(crate) neighbour_goes_on: bool,
    /// The object is changed in passing afterwards: a lost frame is made good by the next one.
    pub(crate) touch: bool,
}
