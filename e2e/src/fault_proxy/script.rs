//! The rules in force, and what came of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::watch;

use super::fault::{Fault, Rule, WatchFault};
use super::request::Asked;
use crate::wait::await_condition;

/// The rules in force, and what was asked.
#[derive(Default)]
pub struct Script {
    state: Mutex<State>,
    /// How often what is held has been let go.
    let_go: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    rules: Vec<Counted>,
    hits: usize,
    seen: Vec<Seen>,
    arrived: Vec<(Asked, u16)>,
}

struct Counted {
    rule: Rule,
    matched: usize,
}

/// A request that was made.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which.
    pub asked: Asked,
    /// When it came.
    pub at: Instant,
    /// What befell it.
    pub fault: Option<Fault>,
}

impl Script {
    /// From now on these rules hold instead of those before.
    pub fn set(&self, rules: Vec<Rule>) {
        let mut state = self.lock();
        state.hits = 0;
        state.rules = rules
            .into_iter()
            .map(|rule| Counted { rule, matched: 0 })
            .collect();
    }

    /// From now on everything is passed on.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.rules.clear();
    }

    /// Waits until faults have befallen so many requests since the rules were set.
    pub async fn await_hits(&self, count: usize, deadline: Duration) -> Result<()> {
        await_condition(&format!("{count} faults"), deadline, || async {
            Ok((self.lock().hits >= count).then_some(()))
        })
        .await
    }

    /// How many requests faults have befallen since the rules were set.
    pub fn hits(&self) -> usize {
        self.lock().hits
    }

    /// Everything that was asked.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// Lets everything go on that is held.
    pub fn let_go(&self) {
        self.let_go.send_modify(|times| *times += 1);
    }

    /// Waits until what was held has been answered by the API server, and gives each with its HTTP status.
    pub async fn await_arrived(
        &self,
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<(Asked, u16)>> {
        await_condition(&format!("{count} late requests"), deadline, || async {
            let arrived = self.lock().arrived.clone();
            Ok((arrived.len() >= count).then_some(arrived))
        })
        .await
    }

    /// Until the next time that what is held is let go.
    pub(super) fn held(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut let_go = self.let_go.subscribe();
        async move {
            // An error says that the script is gone, and with it whoever would let go.
            let_go.changed().await.ok();
        }
    }

    /// What was held has been answered.
    pub(super) fn arrived(&self, asked: Asked, status: u16) {
        self.lock().arrived.push((asked, status));
    }

    /// What befalls a request.
    pub(super) fn befalls(&self, asked: &Asked) -> Option<Fault> {
        let mut state = self.lock();
        let fault = state.next(asked, |fault| !matches!(fault, Fault::Watch(_)));
        state.seen.push(Seen {
            asked: asked.clone(),
            at: Instant::now(),
            fault,
        });
        fault
    }

    /// What befalls a frame about an object.
    pub(super) fn befalls_frame(&self, watch: &Asked, object: &str) -> Option<WatchFault> {
        let frame = Asked {
            name: object.to_owned(),
            ..watch.clone()
        };
        let mut state = self.lock();
        match state.next(&frame, |fault| matches!(fault, Fault::Watch(_)))? {
            Fault::Watch(fault) => {
                state.hits += 1;
                Some(fault)
            }
            _ => None,
        }
    }

    /// A fault has taken effect.
    pub(super) fn hit(&self) {
        self.lock().hits += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, asked: &Asked, of: impl Fn(Fault) -> bool) -> Option<Fault> {
        for counted in &mut self.rules {
            if of(counted.rule.fault) && counted.rule.target.is(asked) {
                counted.matched += 1;
                if counted.rule.times.include(counted.matched) {
                    return Some(counted.rule.fault);
                }
            }
        }
        None
    }
}
