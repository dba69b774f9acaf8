//! The door to Discord, against a server that speaks Discord's protocol and minds its rules.

mod gateway;
mod limits;
mod manners;
mod people;
mod restarts;
mod scene;

use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    [
        manners::tests(),
        gateway::tests(),
        limits::tests(),
        people::tests(),
        restarts::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
