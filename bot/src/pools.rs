//! Bulkheads: a pool of workers and a bounded queue per tier, so that no tier can use up another's.
//!
//! Whoever has a turn is worked on; at most so many at once per tier. Whoever has not waits in the
//! tier's queue, in order of arrival, and who finds no place in it is told so at once.
//!
//! With one pool for all tiers ([`Pools::shared`]) the queues stay apart and the workers do not: as in
//! most bots, what luxury costs everyone waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use brownout::policy::Tier;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One thing per tier.
#[derive(Clone, Debug, Default)]
pub(crate) struct PerTier<T> {
    pub(crate) critical: T,
    pub(crate) important: T,
    pub(crate) luxury: T,
}

impl<T> PerTier<T> {
    pub(crate) fn get(&self, tier: Tier) -> &T {
        match tier {
            Tier::Critical => &self.critical,
            Tier::Important => &self.important,
            Tier::Luxury => &self.luxury,
        }
    }
}

/// There was no place left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The three pools with their queues.
pub(crate) struct Pools(PerTier<Pool>);

struct Pool {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    places: usize,
    depth: Gauge,
}

impl Pools {
    /// A pool per tier: `workers` at once, `places` to wait; `depth` follows how many wait.
    #[allow(clippy::needless_pass_by_value)] // the gauges are handles
    pub(crate) fn new(
        workers: PerTier<usize>,
        places: PerTier<usize>,
        depth: PerTier<Gauge>,
    ) -> Self {
        let pool = |tier: Tier| {
            Pool::new(
                Arc::new(Semaphore::new(*workers.get(tier))),
                *places.get(tier),
                depth.get(tier).clone(),
            )
        };
        Self(PerTier {
            critical: pool(Tier::Critical),
            important: pool(Tier::Important),
            luxury: pool(Tier::Luxury),
        })
    }

    /// One pool that all tiers share, in order of arrival.
    #[allow(clippy::needless_pass_by_value)] // the gauges are handles
    pub(crate) fn shared(workers: usize, places: PerTier<usize>, depth: PerTier<Gauge>) -> Self {
        let turns = Arc::new(Semaphore::new(workers));
        let pool = |tier: Tier| {
            Pool::new(
                Arc::clone(&turns),
                *places.get(tier),
                depth.get(tier).clone(),
            )
        };
        Self(PerTier {
            critical: pool(Tier::Critical),
            important: pool(Tier::Important),
            luxury: pool(Tier::Luxury),
        })
    }

    /// A turn or a place in the tier's queue, at once.
    pub(crate) fn enter(&self, tier: Tier) -> Result<Place, Full> {
        self.0.get(tier).enter()
    }
}

impl Pool {
    fn new(turns: Arc<Semaphore>, places: usize, depth: Gauge) -> Self {
        Self {
            turns,
            waiting: Arc::default(),
            places,
            depth,
        }
    }

    fn enter(&self) -> Result<Place, Full> {
        // a permit goes to whoever waits before it can be had here, so nobody overtakes
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(Place::Turn(Turn { _permit: turn }));
        }
        let places = self.places;
        let taken = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < places).then_some(waiting + 1)
            });
        taken.map_err(|_full| Full)?;
        self.depth.inc();
        Ok(Place::Queue(Waiter {
            turns: Arc::clone(&self.turns),
            _seat: Seat {
                waiting: Arc::clone(&self.waiting),
                depth: self.depth.clone(),
            },
        }))
    }
}

/// What [`Pools::enter`] gives. Dropped, it is free for the next.
pub(crate) enum Place {
    Turn(Turn),
    Queue(Waiter),
}

/// One who waits.
pub(crate) struct Waiter {
    turns: Arc<Semaphore>,
    _seat: Seat,
}

/// A place in a queue; dropped, it is free.
struct Seat {
    waiting: Arc<AtomicUsize>,
    depth: Gauge,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.depth.dec();
    }
}

/// The right to be worked on, until it is dropped.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Waits for the turn. Whoever stops waiting gives up the place.
    pub(crate) async fn turn(self) -> Turn {
        match self {
            Self::Turn(turn) => turn,
            Self::Queue(waiter) => match waiter.turns.acquire_owned().await {
                Ok(permit) => Turn { _permit: permit },
                // nobody closes the semaphore
                Err(_closed) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each<T: Clone>(value: T) -> PerTier<T> {
        PerTier {
            critical: value.clone(),
            important: value.clone(),
            luxury: value,
        }
    }

    fn pools(workers: usize, places: usize) -> Pools {
        Pools::new(each(workers), each(places), PerTier::default())
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_leaves_the_others_open() {
        let pools = pools(0, 1);
        let waits = pools.enter(Tier::Luxury).ok().unwrap();
        assert_eq!(pools.enter(Tier::Luxury).err(), Some(Full));
        assert!(pools.enter(Tier::Critical).is_ok());
        assert_eq!(pools.0.luxury.depth.get(), 1);
        drop(waits);
        assert_eq!(pools.0.luxury.depth.get(), 0);
        assert!(pools.enter(Tier::Luxury).is_ok());
    }

    #[tokio::test]
    async fn a_turn_that_ends_is_the_next_ones() {
        let pools = pools(1, 1);
        let first = pools.enter(Tier::Important).ok().unwrap().turn().await;
        let second = pools.enter(Tier::Important).ok().unwrap();
        let mut second = polled(second.turn());
        assert!(second.is_pending().await);
        drop(first);
        second.ready().await;
    }

    #[tokio::test]
    async fn shared_workers_serve_in_order_of_arrival_whatever_the_tier() {
        let pools = Pools::shared(1, each(9), PerTier::default());
        let busy = pools.enter(Tier::Luxury).ok().unwrap().turn().await;
        let mut luxury = polled(pools.enter(Tier::Luxury).ok().unwrap().turn());
        assert!(luxury.is_pending().await);
        let mut critical = polled(pools.enter(Tier::Critical).ok().unwrap().turn());
        assert!(critical.is_pending().await);
        drop(busy);
        let _turn = luxury.ready().await;
        assert!(critical.is_pending().await);
    }

    /// A future that is polled by hand.
    struct Polled<F>(std::pin::Pin<Box<F>>);

    fn polled<F: Future<Output = Turn>>(future: F) -> Polled<F> {
        Polled(Box::pin(future))
    }

    impl<F: Future<Output = Turn>> Polled<F> {
        async fn is_pending(&mut self) -> bool {
            futures::poll!(self.0.as_mut()).is_pending()
        }

        async fn ready(self) -> Turn {
            self.0.await
        }
    }
}
