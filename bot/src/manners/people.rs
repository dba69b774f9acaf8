//! How often one person, one channel or one address may ask.
//!
//! # Guarantees
//!
//! - Commands of the critical tier have limits of their own, several times as generous: who has
//!   talked too much can still ask for help, and a channel in uproar still hears a command.
//! - Memory is bounded: when it is full, who has not asked for a while is forgotten, and where too many
//!   ask at once the rest share places.
//! - Nobody's id is kept, only a hash that is keyed anew in each process.
//! - Who is over the limit is told so once a minute, not each time: telling is work too.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use brownout::policy::Tier;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::newcomers::network;
use crate::message::Message;

/// How much more of the critical tier there may be.
const CRITICAL: u32 = 4;
/// How many are told apart per limit, at a few dozen bytes each.
const MOST_KEYS: usize = 20_000;
/// Where there are more, they share so many places.
const SHARED_KEYS: u64 = 1024;
/// Checks from one look for those that can be forgotten to the next.
const FORGET_EVERY: u32 = 256;
/// How long a word to somebody lasts.
const WINDOW: Duration = Duration::from_mins(1);

/// So many a minute, and so many at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// No limit at 0.
    pub(crate) per_minute: u32,
    pub(crate) burst: u32,
}

/// Which limit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    User,
    Channel,
    Address,
    /// Of an address too, in new visitors of the page.
    Session,
}

impl Which {
    pub(crate) const ALL: [Self; 4] = [Self::User, Self::Channel, Self::Address, Self::Session];

    /// As metrics and logs name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Channel => "channel",
            Self::Address => "address",
            Self::Session => "session",
        }
    }
}

/// It was too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooOften {
    pub(crate) which: Which,
    pub(crate) wait: Duration,
    /// Whether to say so; if not, they know.
    pub(crate) say: bool,
}

/// The limits of everybody.
pub(crate) struct People<C: Clock = MonotonicClock> {
    hasher: RandomState,
    user: ByTier<C>,
    channel: ByTier<C>,
    address: Option<Limit<C>>,
    told: Limit<C>,
}

struct ByTier<C: Clock> {
    critical: Option<Limit<C>>,
    others: Option<Limit<C>>,
}

type Keys<C> = RateLimiter<u64, HashMapStateStore<u64>, C, NoOpMiddleware<<C as Clock>::Instant>>;

pub(super) struct Limit<C: Clock> {
    clock: C,
    keys: Keys<C>,
    /// Made while it was full.
    checks: AtomicU32,
}

impl<C: Clock + Clone> People<C> {
    pub(crate) fn new(user: Rate, channel: Rate, address: Rate, clock: &C) -> Self {
        let once = Quota::with_period(WINDOW).map(|quota| Limit::new(quota, clock));
        Self {
            hasher: RandomState::new(),
            user: ByTier::new(user, clock),
            channel: ByTier::new(channel, clock),
            address: Limit::of(address, clock),
            told: once.expect("a minute is not nothing"),
        }
    }

    /// Counts a message to its person and its channel, where the door knows them.
    pub(crate) fn admit(&self, message: &Message, tier: Tier) -> Result<(), TooOften> {
        let place = &message.place;
        let door = message.door;
        if !message.author.id.is_empty() {
            let key = self.hasher.hash_one((door, &message.author.id));
            self.check(self.user.limit(tier), key, Which::User)?;
        }
        if !place.channel.is_empty() {
            let key = self
                .hasher
                .hash_one((door, &place.guild, place.conversation()));
            self.check(self.channel.limit(tier), key, Which::Channel)?;
        }
        Ok(())
    }

    /// Counts a request to the address that it came from.
    pub(crate) fn admit_address(&self, address: std::net::IpAddr) -> Result<(), TooOften> {
        let key = self.hasher.hash_one(network(address));
        self.check(self.address.as_ref(), key, Which::Address)
    }

    fn check(&self, limit: Option<&Limit<C>>, key: u64, which: Which) -> Result<(), TooOften> {
        let Some(limit) = limit else { return Ok(()) };
        limit.check(key).map_err(|wait| TooOften {
            which,
            wait,
            say: self.told.check(key).is_ok(),
        })
    }

    /// How many are told apart now, by limit.
    pub(crate) fn keys(&self, which: Which) -> usize {
        let of = |limit: &Option<Limit<C>>| limit.as_ref().map_or(0, Limit::keys);
        match which {
            Which::User => of(&self.user.critical) + of(&self.user.others),
            Which::Channel => of(&self.channel.critical) + of(&self.channel.others),
            Which::Address => of(&self.address),
            Which::Session => 0, // is counted by `newcomers`
        }
    }
}

impl<C: Clock + Clone> ByTier<C> {
    fn new(rate: Rate, clock: &C) -> Self {
        let critical = Rate {
            per_minute: rate.per_minute.saturating_mul(CRITICAL),
            burst: rate.burst.saturating_mul(CRITICAL),
        };
        Self {
            critical: Limit::of(critical, clock),
            others: Limit::of(rate, clock),
        }
    }

    fn limit(&self, tier: Tier) -> Option<&Limit<C>> {
        match tier {
            Tier::Critical => self.critical.as_ref(),
            Tier::Important | Tier::Luxury => self.others.as_ref(),
        }
    }
}

impl<C: Clock + Clone> Limit<C> {
    pub(super) fn of(rate: Rate, clock: &C) -> Option<Self> {
        let per_minute = NonZeroU32::new(rate.per_minute)?;
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        Some(Self::new(
            Quota::per_minute(per_minute).allow_burst(burst),
            clock,
        ))
    }

    fn new(quota: Quota, clock: &C) -> Self {
        Self {
            clock: clock.clone(),
            keys: RateLimiter::new(quota, HashMapStateStore::default(), clock.clone()),
            checks: AtomicU32::new(0),
        }
    }

    /// How many are told apart now.
    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// `Err`: how long to wait.
    pub(super) fn check(&self, key: u64) -> Result<(), Duration> {
        let full = self.keys.len() >= MOST_KEYS;
        // whoever could begin anew anyway is forgotten; not at each check, since it looks at all of them
        if full
            && self
                .checks
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(FORGET_EVERY)
        {
            self.keys.retain_recent();
        }
        let key = if self.keys.len() < MOST_KEYS {
            key
        } else {
            key % SHARED_KEYS
        };
        self.keys
            .check_key(&key)
            .map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests;
