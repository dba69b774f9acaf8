//! The two disasters of bots before this one, with and without the operator, and their figures side by side. One after
//! the other, since figures of runs side by side are worth nothing.

mod crowd;
mod quota;
mod stage;
mod table;
mod viral;

use std::process::ExitCode;
use std::time::Duration;

use e2e::harness::trial_within;

const DEADLINE: Duration = Duration::from_secs(420);

fn main() -> ExitCode {
    e2e::harness::run_one_by_one(vec![
        trial_within(DEADLINE, "disasters_a_feature_goes_viral", viral::play),
        trial_within(DEADLINE, "disasters_the_quota_is_gone", quota::play),
    ])
}
