//! A bounded queue per tier, so that no tier can fill up another's.
//!
//! The workers behind them are shared and take what has waited longest, whatever its tier: as in
//! most bots, what luxury costs, everyone waits for. That is what a degradation policy is for.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use brownout::policy::Tier;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::oneshot;

use crate::work::Work;

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

    fn get_mut(&mut self, tier: Tier) -> &mut T {
        match tier {
            Tier::Critical => &mut self.critical,
            Tier::Important => &mut self.important,
            Tier::Luxury => &mut self.luxury,
        }
    }
}

const TIERS: [Tier; 3] = [Tier::Critical, Tier::Important, Tier::Luxury];

/// Work that waits for a worker. Whoever asked for it gives up by dropping the receiver.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) done: oneshot::Sender<()>,
    arrived: u64,
}

/// There was no place left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The three queues.
pub(crate) struct Queues {
    waiting: Mutex<Waiting>,
    arrival: Condvar,
    places: PerTier<usize>,
    depth: PerTier<Gauge>,
}

#[derive(Default)]
struct Waiting {
    jobs: PerTier<VecDeque<Job>>,
    arrivals: u64,
    closed: bool,
}

impl Queues {
    /// Empty, with that many places; `depth` follows how many are taken.
    pub(crate) fn new(places: PerTier<usize>, depth: PerTier<Gauge>) -> Self {
        Self {
            waiting: Mutex::default(),
            arrival: Condvar::new(),
            places,
            depth,
        }
    }

    /// Queues work and returns at once; the receiver resolves when it is done.
    pub(crate) fn submit(&self, tier: Tier, work: Work) -> Result<oneshot::Receiver<()>, Full> {
        let (done, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        let places = *self.places.get(tier);
        let arrived = waiting.arrivals;
        let jobs = waiting.jobs.get_mut(tier);
        if jobs.len() >= places {
            // those whose asker has given up hold no place
            jobs.retain(|job| !job.done.is_closed());
            if jobs.len() >= places {
                return Err(Full);
            }
        }
        jobs.push_back(Job {
            work,
            done,
            arrived,
        });
        self.measure(tier, jobs.len());
        waiting.arrivals += 1;
        drop(waiting);
        self.arrival.notify_one();
        Ok(receiver)
    }

    /// Blocks until there is work whose asker still waits; `None` once closed and empty.
    pub(crate) fn take(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            match self.oldest(&mut waiting) {
                Some(job) if job.done.is_closed() => {}
                Some(job) => return Some(job),
                None if waiting.closed => return None,
                None => {
                    waiting = self
                        .arrival
                        .wait(waiting)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Lets the workers go home once everything queued is done.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrival.notify_all();
    }

    fn oldest(&self, waiting: &mut Waiting) -> Option<Job> {
        let front = |tier: &Tier| waiting.jobs.get(*tier).front().map(|job| job.arrived);
        let tier = TIERS
            .into_iter()
            .filter(|tier| front(tier).is_some())
            .min_by_key(front)?;
        let jobs = waiting.jobs.get_mut(tier);
        let job = jobs.pop_front();
        self.measure(tier, jobs.len());
        job
    }

    fn measure(&self, tier: Tier, depth: usize) {
        self.depth
            .get(tier)
            .set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(places: usize) -> Queues {
        let places = PerTier {
            critical: places,
            important: places,
            luxury: places,
        };
        Queues::new(places, PerTier::default())
    }

    fn work(rounds: u64) -> Work {
        Work::rounds(rounds)
    }

    #[test]
    fn a_full_queue_refuses_and_leaves_the_others_open() {
        let queues = queues(1);
        let _waits = queues.submit(Tier::Luxury, work(1)).unwrap();
        assert_eq!(queues.submit(Tier::Luxury, work(1)).unwrap_err(), Full);
        assert!(queues.submit(Tier::Critical, work(1)).is_ok());
        assert_eq!(queues.depth.luxury.get(), 1);
    }

    #[test]
    fn who_gives_up_frees_the_place() {
        let queues = queues(1);
        drop(queues.submit(Tier::Luxury, work(1)).unwrap());
        let _waits = queues.submit(Tier::Luxury, work(2)).unwrap();
        assert_eq!(queues.take().unwrap().work, work(2));
        assert_eq!(queues.depth.luxury.get(), 0);
    }

    #[test]
    fn the_oldest_goes_first_whatever_its_tier() {
        let queues = queues(9);
        let tiers = [Tier::Luxury, Tier::Critical, Tier::Luxury, Tier::Important];
        let _waits: Vec<_> = (1..)
            .zip(tiers)
            .map(|(n, tier)| queues.submit(tier, work(n)).unwrap())
            .collect();
        let order: Vec<_> = (0..4).map(|_| queues.take().unwrap().work).collect();
        assert_eq!(order, [work(1), work(2), work(3), work(4)]);
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queues = queues(9);
        let _waits = queues.submit(Tier::Critical, work(1)).unwrap();
        queues.close();
        assert!(queues.take().is_some());
        assert!(queues.take().is_none());
    }
}
