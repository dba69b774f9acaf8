//! The keys with their secrets: who is next, what is counted, what is shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::forecast::Pace;
use super::keys::{KeyState, Keys, Verdict};
use super::metrics::{AiMetrics, Rates, Shown};
use super::quota::{Hour, Quota, Usage, Window};
use super::short::Short;
use super::wire::Tokens;
use crate::store::{Full, Store, StoreError, now_ms};

/// A key, and what to call it.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// None for a server that asks for none.
    pub(crate) secret: Option<SecretString>,
}

/// All keys, the primary first.
pub(crate) struct Keyring {
    keys: Vec<Key>,
    quota: Quota,
    store: Store,
    metrics: AiMetrics,
    state: Mutex<State>,
}

struct State {
    keys: Keys,
    /// As last read from the store.
    usage: Vec<Usage>,
    short: Vec<Short>,
    requests: Pace,
    tokens: Pace,
}

/// The right to one request with one key. It is counted already; dropped without [`Keyring::settle`] or
/// [`Keyring::release`], the request stays counted with all its tokens, since nobody knows what became of it.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) key: usize,
    at: i64,
    tokens: u64,
}

/// A reservation that whoever asked for it does not have yet. Dropped, it is given back: nothing was sent.
struct OnItsWay {
    keyring: Arc<Keyring>,
    reservation: Reservation,
    arrived: bool,
}

impl OnItsWay {
    fn arrive(mut self) -> Reservation {
        self.arrived = true;
        Reservation { ..self.reservation }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        // where nothing runs any more it stays counted: too careful, never too bold
        if !self.arrived && Handle::try_current().is_ok() {
            drop(self.keyring.release(&self.reservation));
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKey {
    /// All of them rest, the first of them until then (Unix milliseconds).
    #[error("all keys rest")]
    Resting {
        until: i64,
        /// Whether that is because quotas are out.
        spent: bool,
    },
    /// What cannot be counted is not asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keyring {
    pub(super) fn new(keys: Vec<Key>, quota: Quota, store: Store, metrics: AiMetrics) -> Arc<Self> {
        let count = keys.len();
        let keyring = Arc::new(Self {
            keys,
            quota,
            store,
            metrics,
            state: Mutex::new(State {
                keys: Keys::new(count, quota.length),
                usage: vec![Usage::default(); count],
                short: vec![Short::default(); count],
                requests: Pace::of(quota.length),
                tokens: Pace::of(quota.length),
            }),
        });
        keyring.show(now_ms());
        keyring
    }

    /// How long the hour is that quotas go by.
    pub(super) fn hour(&self) -> Hour {
        self.quota.length
    }

    pub(super) fn metrics(&self) -> &AiMetrics {
        &self.metrics
    }

    pub(super) fn secret(&self, reservation: &Reservation) -> Option<&SecretString> {
        self.keys[reservation.key].secret.as_ref()
    }

    pub(super) fn name(&self, reservation: &Reservation) -> &str {
        &self.keys[reservation.key].name
    }

    /// Counts a request in, with the first key that has room for it, of those from `from` on.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        from: usize,
        tokens: u64,
        now: i64,
    ) -> Result<Reservation, NoKey> {
        // keys whose tokens do not suffice for this one, and until when
        let mut short: Vec<(usize, i64)> = Vec::new();
        let mut from = from;
        loop {
            let next = self.state().keys.next(from, now);
            let Some(key) = next else {
                return Err(self.resting(&short, now));
            };
            match self.count_in(key, tokens, now).await? {
                Ok(reservation) => return Ok(reservation),
                Err(Full { window, spent }) if spent => {
                    let name = &self.keys[key].name;
                    tracing::warn!(key = %name, window = window.name(), "the key's quota is out");
                    self.learn(key, Verdict::Spent(window), now);
                }
                Err(Full { window, .. }) => {
                    self.note_short(key, window, tokens, now);
                    short.push((key, window.end(now, self.quota.length)));
                }
            }
            from = key + 1;
        }
    }

    /// As a task: who goes away while the store counts leaves no request counted that was never sent.
    async fn count_in(
        self: &Arc<Self>,
        key: usize,
        tokens: u64,
        now: i64,
    ) -> Result<Result<Reservation, Full>, StoreError> {
        let keyring = Arc::clone(self);
        let counted = tokio::spawn(async move {
            let name = &keyring.keys[key].name;
            let reserved = keyring
                .store
                .reserve_usage(name, &keyring.quota, tokens, now);
            let reserved = reserved.await?;
            Ok(reserved.map(|()| keyring.begin(key, tokens, now)))
        });
        // one that has panicked has counted nothing
        let counted = counted.await.unwrap_or(Err(StoreError::Down))?;
        Ok(counted.map(OnItsWay::arrive))
    }

    /// A request is counted in.
    fn begin(self: &Arc<Self>, key: usize, tokens: u64, now: i64) -> OnItsWay {
        self.metrics.started.inc();
        self.state().usage[key].add(tokens);
        self.show(now);
        OnItsWay {
            keyring: Arc::clone(self),
            reservation: Reservation {
                key,
                at: now,
                tokens,
            },
            arrived: false,
        }
    }

    /// Counts a request out, and takes in what it taught about its key. The store is told by the way: no answer
    /// is to wait for it, nor to be lost with it.
    pub(super) fn settle(
        &self,
        reservation: &Reservation,
        tokens: Tokens,
        verdict: Verdict,
    ) -> JoinHandle<()> {
        self.metrics.completed.inc();
        self.metrics.add_tokens(tokens.prompt, tokens.completion);
        self.learn(reservation.key, verdict, now_ms());
        let name = self.name(reservation).to_owned();
        let used = tokens.prompt + tokens.completion;
        let (store, hour) = (self.store.clone(), self.quota.length);
        let (at, reserved) = (reservation.at, reservation.tokens);
        tokio::spawn(async move {
            let settled = store.settle_usage(&name, hour, at, reserved, used);
            if let Err(error) = settled.await {
                // the request stays counted with more tokens than it had: too careful, never too bold
                tracing::warn!(%error, key = %name, "a request's tokens could not be counted");
            }
        })
    }

    /// Gives back a request that certainly was not sent; as a task, since its asker may go away meanwhile.
    pub(super) fn release(self: &Arc<Self>, reservation: &Reservation) -> JoinHandle<()> {
        let keyring = Arc::clone(self);
        let (key, at, tokens) = (reservation.key, reservation.at, reservation.tokens);
        tokio::spawn(async move { keyring.take_back(key, at, tokens).await })
    }

    async fn take_back(&self, key: usize, at: i64, tokens: u64) {
        let name = &self.keys[key].name;
        let hour = self.quota.length;
        let released = self.store.release_usage(name, hour, at, tokens).await;
        if let Err(error) = released {
            // too careful, never too bold
            tracing::warn!(%error, key = %name, "a request that was not sent stays counted");
            return;
        }
        self.metrics.unsent.inc();
        {
            let mut state = self.state();
            state.usage[key].take_back(tokens);
            state.keys.give_back(key);
        }
        self.show(now_ms());
    }

    /// Reads what all replicas have used, and shows it.
    pub(super) async fn refresh(&self, now: i64) -> Result<(), StoreError> {
        let mut usage = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            usage.push(self.store.usage(&key.name, self.quota.length, now).await?);
        }
        let sum = |count: fn(&Usage) -> u64| usage.iter().map(count).sum();
        let (requests, tokens) = (sum(|u| u.month.requests), sum(|u| u.month.tokens));
        {
            let mut state = self.state();
            state.requests.note(now, requests);
            state.tokens.note(now, tokens);
            state.usage = usage;
        }
        self.show(now);
        Ok(())
    }

    /// Forgets the counts of windows that are long over.
    pub(super) async fn prune(&self, now: i64) -> Result<(), StoreError> {
        self.store.prune_usage(now).await
    }

    fn resting(&self, short: &[(usize, i64)], now: i64) -> NoKey {
        let keys = &self.state().keys;
        let rests = (0..self.keys.len()).filter_map(|key| keys.rests_until(key, now));
        let until = rests.chain(short.iter().map(|&(_, until)| until)).min();
        let is_spent = |key| {
            keys.state(key, now) == KeyState::Spent || short.iter().any(|&(short, _)| short == key)
        };
        NoKey::Resting {
            until: until.unwrap_or(now),
            spent: (0..self.keys.len()).all(is_spent),
        }
    }

    /// A key's tokens do not suffice for a request. Of one that is too large for the whole quota, this says nothing
    /// about what is left.
    fn note_short(&self, key: usize, window: Window, tokens: u64, now: i64) {
        let most = self.quota.of(window).tokens;
        if most.is_none_or(|most| tokens <= most) {
            let starts = window.start(now, self.quota.length);
            self.state().short[key].note(window, starts, tokens);
            self.show(now);
        }
    }

    /// Takes in what was learned about a key.
    pub(super) fn learn(&self, key: usize, verdict: Verdict, now: i64) {
        let mut state = self.state();
        let before = state.keys.state(key, now);
        state.keys.learn(key, verdict, now);
        let after = state.keys.state(key, now);
        drop(state);
        if before != after {
            let name = &self.keys[key].name;
            tracing::warn!(key = %name, state = after.name(), "the key's state has changed");
        }
        self.show(now);
    }

    fn show(&self, now: i64) {
        let state = self.state();
        let keys = self.keys.iter().zip(&state.usage).enumerate();
        let shown: Vec<Shown<'_>> = keys
            .map(|(index, (key, &usage))| Shown {
                name: &key.name,
                state: state.keys.state(index, now),
                usage,
                short: state.short[index],
            })
            .collect();
        let rates = Rates {
            requests: state.requests.per_second(now),
            tokens: state.tokens.per_second(now),
        };
        self.metrics.show(&shown, self.quota, rates, now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
