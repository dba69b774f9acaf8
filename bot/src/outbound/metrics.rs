//! What Prometheus sees of the calls to others.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::breaker::Phase;
use super::fault::{CallError, FaultKind};

/// From a database next door to a model that thinks for two minutes.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// The callee failed, at the last attempt too.
    Transient,
    /// The callee wants less from us (429), and the deadline comes before it would have us back.
    Limited,
    Refused,
    /// Not asked: the breaker is open.
    Open,
    /// Not asked: the bulkhead is full.
    Busy,
    /// Not asked: our own rate limit, or a pause that the callee asked for.
    RateLimited,
    /// Not asked: the caller had nothing to ask it with.
    Unasked,
    Deadline,
    /// The caller went away.
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 10] = [
        Self::Ok,
        Self::Transient,
        Self::Limited,
        Self::Refused,
        Self::Open,
        Self::Busy,
        Self::RateLimited,
        Self::Unasked,
        Self::Deadline,
        Self::Cancelled,
    ];

    /// Of a call that did not get through to the callee, or not in time, or came back with a fault.
    pub(super) fn of(error: &CallError) -> Self {
        match error {
            CallError::Open { .. } => Self::Open,
            CallError::Busy => Self::Busy,
            CallError::Limited { .. } => Self::RateLimited,
            CallError::Deadline => Self::Deadline,
            CallError::Fault(fault) => match fault.kind {
                FaultKind::Transient => Self::Transient,
                FaultKind::Limited => Self::Limited,
                FaultKind::Refused => Self::Refused,
                FaultKind::Unasked => Self::Unasked,
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Transient => "transient",
            Self::Limited => "limited",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::Busy => "busy",
            Self::RateLimited => "rate_limited",
            Self::Unasked => "unasked",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    dependency: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    dependency: &'static str,
    outcome: &'static str,
}

/// Retries that can be paid for, in fractions.
type Tokens = Gauge<f64, AtomicU64>;

type Durations = Family<Labels, Histogram, fn() -> Histogram>;

/// The series of all dependencies.
pub(crate) struct OutboundMetrics {
    calls: Family<CallLabels, Counter>,
    attempts: Family<Labels, Counter>,
    retries: Family<Labels, Counter>,
    durations: Durations,
    in_flight: Family<Labels, Gauge>,
    breaker: Family<Labels, Gauge>,
    budget: Family<Labels, Tokens>,
}

impl OutboundMetrics {
    /// With every series at 0; `names` are the dependencies that there may be.
    pub(crate) fn new(registry: &mut Registry, names: &[&'static str]) -> Self {
        let metrics = Self {
            calls: Family::default(),
            attempts: Family::default(),
            retries: Family::default(),
            durations: Durations::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Family::default(),
            breaker: Family::default(),
            budget: Family::default(),
        };
        metrics.register(registry);
        for &name in names {
            let series = metrics.of(name);
            for outcome in Outcome::ALL {
                drop(series.calls.get_or_create(&series.call_labels(outcome)));
            }
        }
        metrics
    }

    fn register(&self, r: &mut Registry) {
        r.register(
            "bot_dependency_calls",
            "Calls to others that ended, by outcome",
            self.calls.clone(),
        );
        r.register(
            "bot_dependency_attempts",
            "Attempts that calls made, the first ones included",
            self.attempts.clone(),
        );
        r.register(
            "bot_dependency_retries",
            "Attempts after a call's first",
            self.retries.clone(),
        );
        r.register(
            "bot_dependency_duration_seconds",
            "Seconds that an attempt took, whatever came of it",
            self.durations.clone(),
        );
        r.register(
            "bot_dependency_in_flight",
            "Attempts under way",
            self.in_flight.clone(),
        );
        r.register(
            "bot_dependency_breaker_state",
            "The circuit breaker: 0 closed, 1 half-open, 2 open",
            self.breaker.clone(),
        );
        r.register(
            "bot_dependency_retry_budget",
            "Retries that could be made at the last call, 0 before a dependency is used",
            self.budget.clone(),
        );
    }

    /// The series of one dependency.
    pub(super) fn of(&self, name: &'static str) -> Series {
        let labels = Labels { dependency: name };
        Series {
            name,
            calls: self.calls.clone(),
            attempts: self.attempts.get_or_create_owned(&labels),
            retries: self.retries.get_or_create_owned(&labels),
            durations: self.durations.get_or_create_owned(&labels),
            in_flight: self.in_flight.get_or_create_owned(&labels),
            breaker: self.breaker.get_or_create_owned(&labels),
            budget: self.budget.get_or_create_owned(&labels),
        }
    }
}

/// The series of one dependency.
pub(super) struct Series {
    name: &'static str,
    calls: Family<CallLabels, Counter>,
    pub(super) attempts: Counter,
    pub(super) retries: Counter,
    pub(super) durations: Histogram,
    pub(super) in_flight: Gauge,
    breaker: Gauge,
    budget: Tokens,
}

impl Series {
    fn call_labels(&self, outcome: Outcome) -> CallLabels {
        CallLabels {
            dependency: self.name,
            outcome: outcome.name(),
        }
    }

    /// Shows what calls are held to at the moment.
    pub(super) fn control(&self, phase: Phase, tokens: f64) {
        self.breaker.set(match phase {
            Phase::Closed => 0,
            Phase::HalfOpen => 1,
            Phase::Open => 2,
        });
        self.budget.set(tokens);
    }

    /// A call begins; until [`Ending::end`] is told otherwise, its caller went away.
    pub(super) fn begin(&self) -> Ending<'_> {
        Ending {
            series: self,
            outcome: Outcome::Cancelled,
        }
    }
}

/// Counts a call when it is dropped, so that one whose caller went away is counted too.
pub(super) struct Ending<'a> {
    series: &'a Series,
    outcome: Outcome,
}

impl Ending<'_> {
    pub(super) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let labels = self.series.call_labels(self.outcome);
        self.series.calls.get_or_create(&labels).inc();
    }
}
