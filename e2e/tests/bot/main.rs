//! The bot and the real servers that it talks to, without a cluster: each test starts what it needs.

mod alone;
mod discord;
mod jobs;
mod manifests;
mod model;
mod mount;
mod page;
mod readme;
mod store;
mod support;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    e2e::http::install_tls_provider();
    let tests = [
        alone::tests(),
        discord::tests(),
        jobs::tests(),
        manifests::tests(),
        model::tests(),
        page::tests(),
        readme::tests(),
        store::tests(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
