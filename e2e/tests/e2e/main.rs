//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod crd;
mod faults_answers;
mod faults_down;
mod faults_support;
mod modes;
mod operator;
mod pins;
mod recorded;
mod restarts;
mod smoke;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            crd::tests(),
            smoke::tests(),
            operator::tests(),
            faults_answers::tests(),
            faults_down::tests(),
            modes::tests(),
            pins::tests(),
            restarts::tests(),
            recorded::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
