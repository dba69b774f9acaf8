//! Bad days: one real operator per case, the real API server, and a proxy between the two that fails.
//!
//! The cases are a matrix, and one [oracle](oracle) judges all of them. `make test` runs a selection in
//! which each fault and each kind of request comes up; `BROWNOUT_FAULTS=all` runs all.

mod case;
mod matrix;
mod observer;
mod oracle;
mod scene;
mod story;

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use e2e::harness::trial_within;

/// A case that has not ended by then has failed.
const DEADLINE: Duration = Duration::from_secs(240);

/// How many of the slowest are told.
const SLOWEST: usize = 5;

static TOOK: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

fn main() -> ExitCode {
    let all = std::env::var("BROWNOUT_FAULTS").is_ok_and(|which| which == "all");
    let cases = matrix::cases().into_iter();
    let trials = cases.filter(|case| all || case.everyday).map(|case| {
        let name = case.name.clone();
        trial_within(DEADLINE, &name, move |ctx| async move {
            let (start, name) = (Instant::now(), case.name.clone());
            let result = story::run(case, ctx).await;
            let mut took = TOOK.lock().unwrap_or_else(PoisonError::into_inner);
            took.push((start.elapsed(), name));
            result
        })
    });
    let code = e2e::harness::run(trials.collect());
    tell_slowest();
    code
}

#[allow(clippy::print_stdout)] // it is what this program is run for
fn tell_slowest() {
    let mut took = TOOK.lock().unwrap_or_else(PoisonError::into_inner);
    took.sort();
    let slowest = took.iter().rev().take(SLOWEST);
    for (time, name) in slowest {
        println!("{:5.1} s  {name}", time.as_secs_f64());
    }
}
