//! The end-to-end tests: each in a namespace of its own on one real cluster.

mod autoscalers;
mod autoscalers_keda;
mod autoscalers_support;
mod bot;
mod bot_manifests;
mod bot_policy;
mod config_map;
mod contested;
mod crd;
mod deletion;
mod demo;
mod edits;
mod election;
mod faults_answers;
mod faults_down;
mod faults_support;
mod isolation;
mod live_and_replay;
mod manifests;
mod modes;
mod operator;
mod overlay;
mod page;
mod pins;
mod queries;
mod readme;
mod recorded;
mod relists;
mod replicas;
mod restarts;
mod rights;
mod rights_busy;
mod rights_namespaced;
mod rights_people;
mod rights_pin;
mod rights_revoked;
mod rivals;
mod smoke;
mod sources;
mod sources_rights;
mod sources_served;
mod sources_support;
mod steady;
mod support;
mod surge;
mod surge_for_real;
mod tenancy;
mod tenancy_random;
mod writes_fail;

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::harness::run(
        [
            bot_policy::tests(),
            bot_manifests::tests(),
            crd::tests(),
            manifests::tests(),
            operator::tests(),
            rights_namespaced::tests(),
            rights::tests(),
            rights_people::tests(),
            rights_busy::tests(),
            rights_pin::tests(),
            rights_revoked::tests(),
            faults_answers::tests(),
            relists::tests(),
            faults_down::tests(),
            live_and_replay::tests(),
            modes::tests(),
            pins::tests(),
            queries::tests(),
            restarts::tests(),
            steady::tests(),
            readme::tests(),
            recorded::tests(),
            smoke::tests(),
            sources::tests(),
            sources_rights::tests(),
            sources_served::tests(),
            surge::tests(),
            replicas::tests(),
            autoscalers::tests(),
            autoscalers_keda::tests(),
            config_map::tests(),
            deletion::tests(),
            rivals::tests(),
            contested::tests(),
            isolation::tests(),
            tenancy::tests(),
            tenancy_random::tests(),
            edits::tests(),
            election::tests(),
            bot::tests(),
            page::tests(),
            demo::tests(),
            surge_for_real::tests(),
            writes_fail::tests(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}
