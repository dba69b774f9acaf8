//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod config_map;
mod contested;
mod crd;
mod manifests;
mod deletion;
mod edits;
mod isolation;
mod operator;
mod recorded;
mod replicas;
mod rivals;
mod smoke;
mod support;
mod surge;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            crd::tests(),
            manifests::tests(),
            operator::tests(),
            recorded::tests(),
            smoke::tests(),
            surge::tests(),
            replicas::tests(),
            config_map::tests(),
            deletion::tests(),
            rivals::tests(),
            contested::tests(),
            isolation::tests(),
            edits::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
