//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod manifests;
mod smoke;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [manifests::tests(), smoke::tests()]
            .into_iter()
            .flatten()
            .collect(),
    )
}
