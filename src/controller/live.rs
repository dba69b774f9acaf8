//! What is live but not worth a write, as JSON. Read-only, nothing secret in it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::standing::{Phase, Standing, Tick};
use crate::admin::{Live, Standby};
use crate::decide::{Blocker, ComparisonView, Reading, compare_views, sentence};
use crate::election::Role;
use crate::policy::{Mode, Policy};
use crate::prometheus::poller::PolicyKey;
use crate::time::Time;

/// One policy, live.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyView {
    namespace: String,
    name: String,
    mode: Mode,
    phase: &'static str,
    ready: bool,
    refusals: Vec<String>,
    level: usize,
    level_name: String,
    desired_level: usize,
    since: Option<String>,
    reason: String,
    /// What the last tick concluded, in a sentence with the numbers in it.
    sentence: Option<String>,
    evaluated_at: Option<String>,
    /// When the decision could next change if all readings stay as they are.
    next_change: Option<String>,
    /// What keeps a level above Normal from being taken back.
    blocker: Option<Value>,
    blind: bool,
    unknown_since: Option<String>,
    flapping: bool,
    pin: Option<Value>,
    signals: Vec<SignalView>,
    comparisons: Vec<ComparisonView>,
    features: Vec<Value>,
    advice: Vec<Value>,
}

/// One signal, live.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignalView {
    name: String,
    query: String,
    value: Option<f64>,
    /// The class, where there is no value.
    unknown: Option<&'static str>,
    /// About how much traffic the reading rests on.
    count: Option<f64>,
    /// What the server or the connection said.
    detail: Option<String>,
}

impl Live for Context {
    fn ready(&self) -> bool {
        self.is_ready()
    }

    fn standby(&self) -> Option<Standby> {
        match self.leadership.role() {
            Role::Leading => None,
            Role::Standby { leader } => Some(Standby { leader }),
        }
    }

    fn policies(&self) -> Value {
        let standings = self.standings.lock();
        let mut all: Vec<_> = standings.iter().collect();
        all.sort_by_key(|(key, _)| *key);
        let views: Vec<_> = all
            .into_iter()
            .map(|(key, standing)| view(key, standing))
            .collect();
        json!({ "policies": views })
    }

    fn policy(&self, namespace: &str, name: &str) -> Option<Value> {
        let key = PolicyKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.standings
            .with(&key, |standing| json!(view(&key, standing)))
    }
}

fn view(key: &PolicyKey, standing: &Standing) -> PolicyView {
    let (policy, record, last) = (&standing.policy, &standing.record, standing.last.as_ref());
    let said = |tick: &Tick| sentence(policy, &tick.readings, &standing.memory, &tick.decision);
    PolicyView {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        mode: policy.mode,
        phase: phase(standing.phase),
        ready: standing.refusals.is_empty(),
        refusals: standing.refusals.iter().map(|refusal| refusal.message.clone()).collect(),
        level: record.level,
        level_name: policy.level_name(record.level).to_owned(),
        desired_level: record.desired,
        since: text(record.since),
        reason: record.cause(),
        sentence: last.map(said),
        evaluated_at: last.map(|tick| tick.decision.at.to_string()),
        next_change: last.and_then(|tick| text(tick.decision.next_change)),
        blocker: last.and_then(|tick| tick.decision.blocker).map(|blocker| blocker_view(policy, blocker)),
        blind: record.blind.is_some(),
        unknown_since: text(standing.unknown_since()),
        flapping: standing.memory.damping.held_since.is_some(),
        pin: record.pin.as_ref().map(|pin| {
            json!({ "level": policy.level_name(pin.level), "until": pin.until.to_string(), "reason": pin.reason })
        }),
        signals: signals(standing),
        comparisons: last.map_or_else(Vec::new, |tick| {
            compare_views(policy, &tick.readings, &standing.memory, tick.decision.at)
        }),
        features: features(policy, record.level),
        advice: advice(standing),
    }
}

fn signals(standing: &Standing) -> Vec<SignalView> {
    let observed = |i: usize| standing.last.as_ref().and_then(|tick| tick.observed.get(i));
    let all = standing
        .policy
        .signals
        .iter()
        .zip(standing.queries.iter())
        .enumerate();
    all.map(|(i, (signal, queries))| {
        let observed = observed(i);
        let reading = observed.map(|observed| observed.reading);
        SignalView {
            name: signal.name.clone(),
            query: queries.value.to_string(),
            value: reading.and_then(Reading::value),
            unknown: reading.and_then(|reading| match reading {
                Reading::Unknown(class) => Some(class.as_str()),
                Reading::Value(_) => None,
            }),
            count: observed
                .and_then(|observed| observed.count)
                .and_then(Reading::value),
            detail: observed
                .and_then(|observed| observed.detail.as_deref())
                .map(str::to_owned),
        }
    })
    .collect()
}

fn features(policy: &Policy, level: usize) -> Vec<Value> {
    let all = policy.features.iter().enumerate();
    all.map(|(i, feature)| json!({ "name": feature.name, "tier": feature.tier, "state": policy.state(level, i) })).collect()
}

fn advice(standing: &Standing) -> Vec<Value> {
    let name = |signal: usize| {
        standing
            .policy
            .signals
            .get(signal)
            .map(|signal| signal.name.as_str())
    };
    let all = standing.advice.iter();
    all.map(|a| json!({ "signal": name(a.signal), "kind": a.kind.as_str(), "message": a.message }))
        .collect()
}

fn blocker_view(policy: &Policy, blocker: Blocker) -> Value {
    match blocker {
        Blocker::NotClear {
            level,
            comparison,
            until,
        } => {
            let signal = policy
                .comparison(level, comparison)
                .map(|c| policy.signals[c.signal].name.as_str());
            json!({ "kind": "NotClear", "level": policy.level_name(level), "signal": signal, "until": text(until) })
        }
        Blocker::Standing { until } => json!({ "kind": "Standing", "until": until.to_string() }),
        Blocker::Blind { signal } => {
            json!({ "kind": "Blind", "signal": policy.signals[signal].name })
        }
        Blocker::BlindBefore { until } => {
            json!({ "kind": "BlindBefore", "until": until.to_string() })
        }
        Blocker::Damped { until } => json!({ "kind": "Damped", "until": until.to_string() }),
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Restoring => "Restoring",
        Phase::Deciding => "Deciding",
        Phase::Resting => "Resting",
    }
}

fn text(at: Option<Time>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// The context as what the ports show.
pub fn shown(context: &Arc<Context>) -> Arc<dyn Live> {
    Arc::clone(context) as Arc<dyn Live>
}
