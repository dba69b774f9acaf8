//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod operator;
mod smoke;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [smoke::tests(), operator::tests()]
            .into_iter()
            .flatten()
            .collect(),
    )
}
