//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod bot;
mod crd;
mod operator;
mod page;
mod smoke;
mod surge_for_real;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            crd::tests(),
            smoke::tests(),
            operator::tests(),
            bot::tests(),
            page::tests(),
            surge_for_real::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
