//! Writes that fail again and again, for reasons that may pass by themselves: a webhook that is down, a server
//! that fails. Once is an accident and tried again without a word; several times in a row is how things are,
//! and the policy is not Ready.

use std::collections::BTreeMap;

use super::apply::Applied;
use super::words;
use crate::plan::Refusal;
use crate::policy::Workload;

/// So many failures in a row are told of.
const TOLD_AFTER: u32 = 3;

/// The writes of one policy that fail, by workload; the flags have none.
#[derive(Debug, Default)]
pub struct Failing(BTreeMap<Option<Workload>, Failure>);

#[derive(Debug, Default)]
struct Failure {
    /// What could not be done the last time.
    what: String,
    /// How often in a row.
    times: u32,
}

impl Failing {
    /// Takes in what came of an attempt, and gives what is to be told. What was not tried, since something
    /// else came in between, neither counts nor is forgotten: nothing says that it would have succeeded.
    pub fn take_in(&mut self, applied: &Applied) -> Vec<Refusal> {
        self.0.retain(|workload, _| {
            let workload = workload.as_ref();
            applied.is_undone(workload) || applied.unread && !applied.is_done(workload)
        });
        let mut counted = Vec::new();
        for (workload, what) in &applied.failed {
            if counted.contains(&workload) {
                continue;
            }
            counted.push(workload);
            let failure = self.0.entry(workload.clone()).or_default();
            failure.what.clone_from(what);
            failure.times = failure.times.saturating_add(1);
        }
        let told = self.0.values().filter(|it| it.times >= TOLD_AFTER);
        told.map(|it| words::failing(&it.what)).collect()
    }
}

#[cfg(test)]
mod tests;
