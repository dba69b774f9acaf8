//! Does a node leave anything behind on this machine?

use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    vec![]
}
