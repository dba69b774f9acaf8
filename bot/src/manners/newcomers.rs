//! How many new visitors one address may bring.
//!
//! A visitor of the page is whoever has its cookie, so that whoever drops the cookie, or makes one up, is
//! somebody new and escapes every limit of a person. What is bounded here is how often that happens.
//!
//! # Guarantees
//!
//! - Whom this process has heard before is never asked.
//! - Memory is bounded: with too many visitors, those are forgotten who have not spoken for longest; they
//!   are then counted as new ones.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;

use super::people::{Limit, Rate};

/// Visitors that are remembered, and as many again at the most.
const MOST_KNOWN: usize = 20_000;

pub(super) struct Newcomers<C: Clock> {
    hasher: RandomState,
    /// None where there is no limit.
    limit: Option<Limit<C>>,
    known: Mutex<Known>,
}

impl<C: Clock + Clone> Newcomers<C> {
    pub(super) fn new(rate: Rate, clock: &C) -> Self {
        Self {
            hasher: RandomState::new(),
            limit: Limit::of(rate, clock),
            known: Mutex::default(),
        }
    }

    /// Whether this visitor may speak; `Err` is how long to wait.
    pub(super) fn admit(&self, address: IpAddr, visitor: &str) -> Result<(), Duration> {
        let Some(limit) = &self.limit else {
            return Ok(());
        };
        let visitor = self.hasher.hash_one(visitor);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.knows(visitor) {
            limit.check(self.hasher.hash_one(network(address)))?;
        }
        known.learn(visitor);
        Ok(())
    }

    /// How many addresses are told apart now.
    pub(super) fn keys(&self) -> usize {
        self.limit.as_ref().map_or(0, Limit::keys)
    }
}

/// In two halves: when the one that is written is full, the other is forgotten.
#[derive(Default)]
struct Known {
    lately: HashSet<u64>,
    before: HashSet<u64>,
}

impl Known {
    fn knows(&self, visitor: u64) -> bool {
        self.lately.contains(&visitor) || self.before.contains(&visitor)
    }

    fn learn(&mut self, visitor: u64) {
        if self.lately.len() >= MOST_KNOWN && !self.lately.contains(&visitor) {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(visitor);
    }
}

/// Of IPv6, the network: one household has as many addresses as it likes.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn newcomers(per_minute: u32, burst: u32) -> (Newcomers<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rate = Rate { per_minute, burst };
        (Newcomers::new(rate, &clock), clock)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_brings_so_many_and_whom_one_knows_is_always_let_in() {
        let (newcomers, clock) = newcomers(6, 2);
        let here = address("192.0.2.1");
        assert_eq!(newcomers.admit(here, "ann"), Ok(()));
        assert_eq!(newcomers.admit(here, "bob"), Ok(()));
        let wait = newcomers.admit(here, "cat").unwrap_err();
        assert!(wait <= Duration::from_secs(10), "{wait:?}");
        for _ in 0..100 {
            assert_eq!(newcomers.admit(here, "ann"), Ok(()));
        }
        assert_eq!(newcomers.admit(address("192.0.2.2"), "dan"), Ok(()));
        clock.advance(Duration::from_secs(10));
        assert_eq!(newcomers.admit(here, "cat"), Ok(()));
        assert!(newcomers.admit(here, "eve").is_err());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let (newcomers, _clock) = newcomers(0, 1);
        for n in 0..1000 {
            let admitted = newcomers.admit(address("192.0.2.1"), &n.to_string());
            assert_eq!(admitted, Ok(()));
        }
    }

    #[test]
    fn memory_is_bounded_and_who_speaks_is_remembered() {
        let mut known = Known::default();
        for visitor in 0..3 * MOST_KNOWN as u64 {
            known.learn(visitor);
            if visitor % 1000 == 0 {
                known.learn(u64::MAX);
            }
        }
        assert!(known.lately.len() + known.before.len() <= 2 * MOST_KNOWN);
        assert!(known.knows(u64::MAX) && !known.knows(1));
    }

    #[test]
    fn a_household_is_one_address() {
        let same = |one, other| network(address(one)) == network(address(other));
        assert!(same("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    }
}
