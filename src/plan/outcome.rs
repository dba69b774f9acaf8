//! What is left of a plan's baselines once its writes have been tried.

use super::{Baseline, Plan};
use crate::policy::Workload;

impl Plan {
    /// Takes a workload out, whose new baseline turned out not to be sure: nothing of it is written, nor
    /// kept. The flags and the other targets stay.
    pub fn leave_out(&mut self, workload: &Workload) {
        self.record.retain(|b| b.workload != *workload);
        self.settled.retain(|b| b.workload != *workload);
        self.set_backs.retain(|set| set.workload != *workload);
        self.writes
            .retain(|write| write.workload() != Some(workload));
    }

    /// The baselines after the writes, where `before` are those from before the plan.
    ///
    /// Those of restores that failed are kept. A new one is dropped where its workload turned out to be
    /// `outdated`, another than it was read as: that number may have been another policy's, and nothing
    /// has been written over yet.
    pub fn baselines_after(
        &self,
        unrestored: &[Workload],
        outdated: &[Workload],
        before: &[Baseline],
    ) -> Vec<Baseline> {
        let is_new = |baseline: &Baseline| before.iter().all(|b| b.workload != baseline.workload);
        let kept = self
            .record
            .iter()
            .filter(|baseline| unrestored.contains(&baseline.workload))
            .filter(|baseline| {
                let settled = |b: &Baseline| b.workload == baseline.workload;
                !self.settled.iter().any(settled)
            });
        let all = self.settled.iter().chain(kept);
        all.filter(|baseline| !(outdated.contains(&baseline.workload) && is_new(baseline)))
            .cloned()
            .collect()
    }
}
