//! Whose turn it is to have a query under way.
//!
//! A slow query holds its turn until its deadline. So that nobody's slow queries can hold all turns,
//! each circle of askers has at most half of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Who asks, and how it waits for its turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    /// Who shares half of the turns: a namespace. `None` where nobody else asks.
    pub circle: Option<&'a str>,
    /// How it waits.
    pub wait: Wait,
}

/// How to wait for a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wait {
    /// As long as it takes, and behind all others.
    #[default]
    Patiently,
    /// As long as it takes, in line with those who ask by a deadline.
    InLine,
    /// Until then; the answer, too, must be there by then.
    Until(Instant),
}

impl Wait {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(deadline) => Some(deadline),
            Self::Patiently | Self::InLine => None,
        }
    }
}

/// The turns of a source.
pub(super) struct Turns {
    all: Semaphore,
    /// Fewer than there are, for the patient: a queue of them never fills all.
    patient: Semaphore,
    /// How many of both a circle has.
    most: (usize, usize),
    /// The circles that ask now.
    shares: Mutex<HashMap<String, Share>>,
}

struct Share {
    all: Arc<Semaphore>,
    patient: Arc<Semaphore>,
    members: usize,
}

/// A turn, for as long as it is kept.
pub(super) struct Turn<'a> {
    // released in this order: a share is forgotten last, when nothing of it is in use
    _all: SemaphorePermit<'a>,
    _patient: Option<SemaphorePermit<'a>>,
    _own: Vec<OwnedSemaphorePermit>,
    _member: Option<Member<'a>>,
}

/// Keeps a circle's share in the map while it waits for a turn or has one.
struct Member<'a> {
    turns: &'a Turns,
    circle: &'a str,
    all: Arc<Semaphore>,
    patient: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new(limit: usize) -> Self {
        let (limit, half) = (limit.max(1), (limit / 2).max(1));
        Self {
            all: Semaphore::new(limit),
            patient: Semaphore::new(half),
            most: (half, half.saturating_sub(1).max(1)),
            shares: Mutex::default(),
        }
    }

    /// Waits for a turn; `None` where there was none in time.
    pub(super) async fn take<'a>(&'a self, asker: Asker<'a>) -> Option<Turn<'a>> {
        let turn = self.wait(asker);
        match asker.wait.deadline() {
            Some(deadline) => timeout_at(deadline, turn).await.ok().flatten(),
            None => turn.await,
        }
    }

    /// First in the circle's own queue, then in the common one, in which it has no more places than
    /// turns: many queries of one circle do not stand before those of the others.
    async fn wait<'a>(&'a self, asker: Asker<'a>) -> Option<Turn<'a>> {
        let member = asker.circle.map(|circle| self.enter(circle));
        let (mut own, mut patient) = (Vec::new(), None);
        if asker.wait == Wait::Patiently {
            if let Some(member) = &member {
                own.push(Arc::clone(&member.patient).acquire_owned().await.ok()?);
            }
            patient = Some(self.patient.acquire().await.ok()?);
        }
        if let Some(member) = &member {
            own.push(Arc::clone(&member.all).acquire_owned().await.ok()?);
        }
        Some(Turn {
            _all: self.all.acquire().await.ok()?,
            _patient: patient,
            _own: own,
            _member: member,
        })
    }

    fn enter<'a>(&'a self, circle: &'a str) -> Member<'a> {
        let mut shares = self.shares();
        let share = shares.entry(circle.to_owned()).or_insert_with(|| Share {
            all: Arc::new(Semaphore::new(self.most.0)),
            patient: Arc::new(Semaphore::new(self.most.1)),
            members: 0,
        });
        share.members += 1;
        Member {
            turns: self,
            circle,
            all: Arc::clone(&share.all),
            patient: Arc::clone(&share.patient),
        }
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<String, Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut shares = self.turns.shares();
        if let Some(share) = shares.get_mut(self.circle) {
            share.members -= 1;
            if share.members == 0 {
                shares.remove(self.circle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn asker(circle: &str, wait: Wait) -> Asker<'_> {
        Asker {
            circle: Some(circle),
            wait,
        }
    }

    fn soon() -> Wait {
        Wait::Until(Instant::now() + SHORT)
    }

    async fn hold<'a>(turns: &'a Turns, circle: &'a str, wait: Wait) -> Vec<Turn<'a>> {
        let wanted = (0..20).map(|_| async {
            let turn = turns.take(asker(circle, wait));
            tokio::time::timeout(SHORT, turn).await
        });
        let held = join_all(wanted).await.into_iter();
        held.filter_map(|turn| turn.ok().flatten()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_circle_has_half_of_the_turns_and_leaves_the_others_theirs() {
        for (limit, half) in [(8, 4), (5, 2), (2, 1), (1, 1)] {
            let turns = Turns::new(limit);
            let slow = hold(&turns, "aaa", soon()).await;
            assert_eq!(slow.len(), half, "of {limit}");
            let others = hold(&turns, "bots", soon()).await;
            assert_eq!(others.len(), half.min(limit - half), "of {limit}");
            drop(slow);
            assert!(turns.take(asker("aaa", soon())).await.is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_can_wait_leave_turns_to_those_who_cannot() {
        let turns = Turns::new(8);
        let one = hold(&turns, "aaa", Wait::Patiently).await;
        let other = hold(&turns, "bots", Wait::Patiently).await;
        assert_eq!((one.len(), other.len()), (3, 1));
        assert_eq!(hold(&turns, "aaa", Wait::InLine).await.len(), 1);
        assert_eq!(hold(&turns, "bots", soon()).await.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_circle_that_does_not_ask_is_forgotten() {
        let turns = Turns::new(2);
        let held = hold(&turns, "aaa", soon()).await;
        assert_eq!((held.len(), turns.shares().len()), (1, 1));
        // one that gave up waiting as well
        assert!(turns.take(asker("aaa", soon())).await.is_none());
        drop(held);
        assert!(turns.shares().is_empty());
    }
}
