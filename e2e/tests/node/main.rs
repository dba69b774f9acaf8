//! The end-to-end tests that need real pods: each in a namespace of its own on one real cluster
//! with one real node.

mod autoscaler;
mod cleanup;
mod documents;
mod pods;
mod services;
mod shipped;
mod split;
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run_with_node(
        [
            pods::tests(),
            services::tests(),
            autoscaler::tests(),
            shipped::tests(),
            documents::tests(),
            split::tests(),
            cleanup::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
