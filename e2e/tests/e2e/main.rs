//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod crd;
mod operator;
mod readme;
mod recorded;
mod smoke;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            crd::tests(),
            smoke::tests(),
            operator::tests(),
            readme::tests(),
            recorded::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
