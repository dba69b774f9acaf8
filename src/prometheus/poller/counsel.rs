//! Asking now and then what makes advice: one query at a time, behind the ticks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::advice::{Advice, Facts, of_signal};
use super::super::answer::Answer;
use super::super::client::{Asker, Client, Wait};
use super::super::query::Query;
use super::super::signals::SignalQueries;
use super::{PolicyKey, Subscription, SubscriptionId};
use crate::decide::{Reading, Unknown};
use crate::time::{Span, Time};

/// After a subscription: so many ticks, or the longest window where that is more. A bot that came with
/// its policy has series by then.
const TICKS: i64 = 4;
/// After asking that died.
const SOON: Duration = Duration::from_millis(500);
/// After an attempt that did not reach the source.
const RETRY: Duration = Duration::from_secs(60);
/// While there is something to say, so that it is taken back soon after it is put right.
const RECHECK: Duration = Duration::from_secs(300);
/// While there is nothing to say.
const HOURLY: Duration = Duration::from_secs(3600);

/// When to ask for whom, and what was said last.
pub(super) struct Counsel {
    client: Arc<Client>,
    policies: BTreeMap<PolicyKey, Advised>,
    asking: JoinSet<Asked>,
    next: Option<Instant>,
}

struct Advised {
    id: SubscriptionId,
    subscription: Subscription,
    at: Instant,
    said: Option<Vec<Advice>>,
}

/// Advice that is new.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) key: PolicyKey,
    pub(super) id: SubscriptionId,
    pub(super) advice: Vec<Advice>,
}

impl Counsel {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            policies: BTreeMap::new(),
            asking: JoinSet::new(),
            next: None,
        }
    }

    pub(super) fn subscribe(&mut self, key: &PolicyKey, id: SubscriptionId, to: &Subscription) {
        let at = Instant::now() + patience(to);
        let policy = Advised {
            id,
            subscription: to.clone(),
            at,
            said: None,
        };
        self.policies.insert(key.clone(), policy);
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    pub(super) fn unsubscribe(&mut self, key: &PolicyKey) {
        self.policies.remove(key);
    }

    /// How long nothing is due; `None` while asking, or with nobody to ask for.
    pub(super) fn due_in(&self, now: Instant) -> Option<Duration> {
        let next = self.next.filter(|_| self.asking.is_empty())?;
        Some(next.saturating_duration_since(now))
    }

    pub(super) fn start_if_due(&mut self, time: Time) {
        let now = Instant::now();
        if self.due_in(now) != Some(Duration::ZERO) {
            return;
        }
        let due = self.policies.iter().filter(|(_, p)| p.at <= now);
        let due: Vec<_> = due
            .map(|(k, p)| (k.clone(), p.id, p.subscription.clone()))
            .collect();
        if due.is_empty() {
            self.next = self.policies.values().map(|p| p.at).min();
            return;
        }
        let pass = Pass {
            client: Arc::clone(&self.client),
            answers: HashMap::new(),
        };
        self.asking.spawn(pass.ask_all(due, time));
    }

    /// Waits for what is being asked; `None` while nothing is.
    pub(super) async fn heard(&mut self) -> Option<Vec<Heard>> {
        let results = self.asking.join_next().await?.unwrap_or_default();
        let now = Instant::now();
        let mut heard = Vec::new();
        for (key, id, advice) in results {
            let Some(policy) = self.policies.get_mut(&key).filter(|p| p.id == id) else {
                continue;
            };
            let Some(advice) = advice else {
                policy.at = now + RETRY;
                continue;
            };
            policy.at = now + if advice.is_empty() { HOURLY } else { RECHECK };
            if policy.said.as_ref() != Some(&advice) {
                policy.said = Some(advice.clone());
                heard.push(Heard { key, id, advice });
            }
        }
        // those whose asking died are asked for again, but not at once
        for policy in self.policies.values_mut().filter(|p| p.at <= now) {
            policy.at = now + SOON;
        }
        self.next = self.policies.values().map(|p| p.at).min();
        Some(heard)
    }
}

fn patience(to: &Subscription) -> Duration {
    let windows = to.signals.iter().filter_map(|signal| signal.window);
    let ticks = to.interval.times(TICKS);
    windows.fold(ticks, Span::max).to_duration()
}

/// One pass: each different query once, which takes the turn of the first who asks it.
struct Pass {
    client: Arc<Client>,
    answers: HashMap<(Query, Time), Answer>,
}

type Asked = Vec<(PolicyKey, SubscriptionId, Option<Vec<Advice>>)>;

impl Pass {
    async fn ask_all(
        mut self,
        policies: Vec<(PolicyKey, SubscriptionId, Subscription)>,
        now: Time,
    ) -> Asked {
        let mut results = Vec::with_capacity(policies.len());
        for (key, id, subscription) in policies {
            let advice = self.ask_for(&key.namespace, &subscription, now).await;
            results.push((key, id, advice));
        }
        results
    }

    /// The advice for a policy; `None` where the source could not be asked.
    async fn ask_for(
        &mut self,
        namespace: &str,
        subscription: &Subscription,
        now: Time,
    ) -> Option<Vec<Advice>> {
        let asker = Asker {
            circle: Some(namespace),
            wait: Wait::Patiently,
        };
        let mut advice = Vec::new();
        for (index, signal) in subscription.signals.iter().enumerate() {
            let facts = self.facts(asker, signal, now).await?;
            advice.extend(of_signal(index, signal, &facts, &subscription.thresholds));
        }
        Some(advice)
    }

    async fn facts(
        &mut self,
        asker: Asker<'_>,
        signal: &SignalQueries,
        now: Time,
    ) -> Option<Facts> {
        let mut facts = Facts::default();
        if let Some(query) = &signal.samples {
            facts.samples = self.samples(asker, query, now).await?;
            // a second look at a series that may only be young
            if let Some(window) = signal.window.filter(|_| facts.samples == Some(1.0)) {
                facts.samples_before = self.samples(asker, query, now - window).await?;
            }
        }
        if let Some(query) = &signal.errors_exist {
            facts.errors = self.samples(asker, query, now).await?;
        }
        if let Some(query) = &signal.top {
            facts.top = self.reading(asker, query, now).await?.value();
        }
        Some(facts)
    }

    /// A number of samples, where no series has none.
    async fn samples(&mut self, asker: Asker<'_>, query: &Query, at: Time) -> Option<Option<f64>> {
        Some(match self.reading(asker, query, at).await? {
            Reading::Unknown(Unknown::Empty) => Some(0.0),
            reading => reading.value(),
        })
    }

    /// A reading; `None` where the source could not be asked.
    async fn reading(&mut self, asker: Asker<'_>, query: &Query, at: Time) -> Option<Reading> {
        let asked = (query.clone(), at);
        let answer = if let Some(answer) = self.answers.get(&asked) {
            answer.clone()
        } else {
            let time = at - self.client.source().evaluation_delay;
            let answer = self.client.instant_as(asker, query, time).await;
            self.answers.insert(asked, answer.clone());
            answer
        };
        match answer.reading {
            Reading::Unknown(class) if class <= Unknown::Partial => None,
            reading => Some(reading),
        }
    }
}
