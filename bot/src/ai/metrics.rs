//! What Prometheus sees of keys and quotas.
//!
//! Keys are named by position or by their owner, never by their text. The gauges of quotas are read from the store,
//! so every replica shows the same: take their `max` or `min` over replicas, never their `sum`.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Silence;
use super::forecast::exhausted_in;
use super::keys::KeyState;
use super::quota::{Quota, Usage, Window, left};
use super::short::Short;

/// A quota that is not set, as a number: as much as the options take. Infinite would be no reading for a policy,
/// and no series at all neither.
pub(crate) const UNLIMITED: u64 = 1_000_000_000_000;

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuotaLabels {
    key: String,
    window: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WindowLabels {
    window: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    key: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabels {
    cause: &'static str,
}

/// The series of the model.
pub(crate) struct AiMetrics {
    limit: Family<QuotaLabels, FloatGauge>,
    used: Family<QuotaLabels, FloatGauge>,
    remaining: Family<WindowLabels, FloatGauge>,
    token_limit: Family<QuotaLabels, FloatGauge>,
    token_used: Family<QuotaLabels, FloatGauge>,
    token_remaining: Family<WindowLabels, FloatGauge>,
    exhausted_in: Family<WindowLabels, FloatGauge>,
    states: Family<StateLabels, Gauge>,
    pub(super) started: Counter,
    pub(super) completed: Counter,
    pub(super) unsent: Counter,
    tokens: Family<KindLabels, Counter>,
    silences: Family<CauseLabels, Counter>,
}

/// How one key stands, for [`AiMetrics::show`].
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) state: KeyState,
    pub(super) usage: Usage,
    pub(super) short: Short,
}

/// How fast all keys are used up, per second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    pub(super) requests: f64,
    pub(super) tokens: f64,
}

impl AiMetrics {
    /// With every series there; a quota that is not set is [`UNLIMITED`].
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            limit: Family::default(),
            used: Family::default(),
            remaining: Family::default(),
            token_limit: Family::default(),
            token_used: Family::default(),
            token_remaining: Family::default(),
            exhausted_in: Family::default(),
            states: Family::default(),
            started: Counter::default(),
            completed: Counter::default(),
            unsent: Counter::default(),
            tokens: Family::default(),
            silences: Family::default(),
        };
        metrics.register_quotas(registry);
        metrics.register_calls(registry);
        metrics.add_tokens(0, 0);
        for cause in Silence::CAUSES {
            drop(metrics.silences.get_or_create(&CauseLabels { cause }));
        }
        metrics.show(&[], Quota::default(), Rates::default(), 0);
        metrics
    }

    fn register_quotas(&self, r: &mut Registry) {
        r.register(
            "bot_quota_limit",
            "Requests that a key may make within the window (hour or month, UTC); 1e12 is no limit",
            self.limit.clone(),
        );
        r.register(
            "bot_quota_used",
            "Requests that a key has made within the window, counted before they are sent, by all replicas together",
            self.used.clone(),
        );
        r.register(
            "bot_quota_remaining",
            "Requests that are left within the window over all keys that can be used; of the hour, no more than of the month; 1e12 is no limit",
            self.remaining.clone(),
        );
        r.register(
            "bot_token_quota_limit",
            "Tokens that a key may use within the window",
            self.token_limit.clone(),
        );
        r.register(
            "bot_token_quota_used",
            "Tokens that a key has used within the window, with what is reserved for requests under way",
            self.token_used.clone(),
        );
        r.register(
            "bot_token_quota_remaining",
            "Tokens that are left within the window over all keys that can be used; 0 where they do not suffice for the smallest request that was declined for it",
            self.token_remaining.clone(),
        );
        r.register(
            "bot_quota_exhausted_in_seconds",
            "Seconds until no request or token is left, at the rate of the last five minutes; 2678400 (31 days) where the window turns before that",
            self.exhausted_in.clone(),
        );
        r.register(
            "bot_key_state",
            "1 for the state that a key is in: ready, spent (quota out), limited (too fast for the API), refused (by the API)",
            self.states.clone(),
        );
    }

    fn register_calls(&self, r: &mut Registry) {
        r.register(
            "bot_ai_requests_started",
            "Requests to the model, counted before they are sent",
            self.started.clone(),
        );
        r.register(
            "bot_ai_requests_completed",
            "Requests to the model that were answered, whatever the answer; what hangs was started and is not completed",
            self.completed.clone(),
        );
        r.register(
            "bot_ai_requests_unsent",
            "Requests to the model that were started, could not be sent and were given back to the quota",
            self.unsent.clone(),
        );
        r.register(
            "bot_ai_tokens",
            "Tokens that the model has counted, by kind: prompt, completion",
            self.tokens.clone(),
        );
        r.register(
            "bot_ai_silences",
            "Questions that the model left without an answer, by cause",
            self.silences.clone(),
        );
    }

    pub(super) fn add_tokens(&self, prompt: u64, completion: u64) {
        for (kind, n) in [("prompt", prompt), ("completion", completion)] {
            self.tokens.get_or_create(&KindLabels { kind }).inc_by(n);
        }
    }

    pub(crate) fn silence(&self, silence: &Silence) {
        let cause = silence.cause();
        self.silences.get_or_create(&CauseLabels { cause }).inc();
    }

    /// Shows how the keys stand, all of which have the same quota.
    pub(super) fn show(&self, keys: &[Shown<'_>], quota: Quota, rates: Rates, now: i64) {
        for key in keys {
            self.show_key(key, quota);
        }
        for window in Window::ALL {
            let labels = WindowLabels {
                window: window.name(),
            };
            let requests = remaining(keys, window, |key, window| {
                left(quota.of(window).requests, key.usage.of(window).requests)
            });
            let tokens = remaining(keys, window, |key, window| {
                let left = left(quota.of(window).tokens, key.usage.of(window).tokens)?;
                let starts = window.start(now, quota.length);
                Some(key.short.usable(window, starts, left))
            });
            self.remaining.get_or_create(&labels).set(float(requests));
            self.token_remaining
                .get_or_create(&labels)
                .set(float(tokens));
            let turns_in = window.end(now, quota.length) - now;
            let seconds = exhausted_in(requests, rates.requests, turns_in).min(exhausted_in(
                tokens,
                rates.tokens,
                turns_in,
            ));
            self.exhausted_in.get_or_create(&labels).set(seconds);
        }
    }

    fn show_key(&self, key: &Shown<'_>, quota: Quota) {
        for window in Window::ALL {
            let labels = QuotaLabels {
                key: key.name.to_owned(),
                window: window.name(),
            };
            let (bound, used) = (quota.of(window), key.usage.of(window));
            for (family, value) in [
                (&self.limit, bound.requests),
                (&self.used, Some(used.requests)),
                (&self.token_limit, bound.tokens),
                (&self.token_used, Some(used.tokens)),
            ] {
                family.get_or_create(&labels).set(float(value));
            }
        }
        for state in KeyState::ALL {
            let labels = StateLabels {
                key: key.name.to_owned(),
                state: state.name(),
            };
            let value = i64::from(state == key.state);
            self.states.get_or_create(&labels).set(value);
        }
    }
}

/// What is left over all keys; of the hour, a key has no more than of its month. A key that the API does not
/// take now has nothing, whatever we have counted.
fn remaining(
    keys: &[Shown<'_>],
    window: Window,
    left: impl Fn(&Shown<'_>, Window) -> Option<u64>,
) -> Option<u64> {
    if keys.is_empty() {
        return None;
    }
    keys.iter().try_fold(0_u64, |sum, key| {
        if matches!(key.state, KeyState::Spent | KeyState::Refused) {
            return Some(sum);
        }
        let within = |window| left(key, window);
        let of_key = match (window, within(Window::Month)) {
            (Window::Hour, Some(month)) => {
                Some(within(Window::Hour).map_or(month, |hour| hour.min(month)))
            }
            (Window::Hour, None) => within(Window::Hour),
            (Window::Month, month) => month,
        };
        Some(sum.saturating_add(of_key?))
    })
}

#[allow(clippy::cast_precision_loss)] // counts are far below 2^52
fn float(n: Option<u64>) -> f64 {
    n.unwrap_or(UNLIMITED).min(UNLIMITED) as f64
}

#[cfg(test)]
mod tests;
