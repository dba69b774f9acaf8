//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod crd;
mod faults_answers;
mod faults_down;
mod faults_support;
mod live_and_replay;
mod manifests;
mod modes;
mod operator;
mod pins;
mod queries;
mod recorded;
mod restarts;
mod smoke;
mod steady;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            crd::tests(),
            manifests::tests(),
            operator::tests(),
            faults_answers::tests(),
            faults_down::tests(),
            live_and_replay::tests(),
            modes::tests(),
            pins::tests(),
            queries::tests(),
            restarts::tests(),
            steady::tests(),
            recorded::tests(),
            smoke::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
