//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod crd;
mod manifests;
mod operator;
mod recorded;
mod smoke;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            crd::tests(),
            manifests::tests(),
            operator::tests(),
            recorded::tests(),
            smoke::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
