//! Starting children that die with this process.
//!
//! The kernel sends the signal of `setpriv --pdeathsig` when the *thread* that started the child
//! ends, and an async runtime ends its threads as it likes. So one thread that lives as long as
//! the process starts all children.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::{Context, Result};

use crate::tools::on_path;

type Request = (Command, Sender<io::Result<Child>>);

/// A command for `program`, wrapped so that the kernel kills it when this process dies. Where
/// there is no `setpriv` (it is part of util-linux), the next run cleans up instead.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = match on_path("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // a group of its own: Ctrl-C goes to us, and we end the children in good order
    command.process_group(0);
    command
}

/// By these a proxy is set for programs, which leads nowhere from servers of one machine to each other.
pub(crate) const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// Starts a command from the long-lived thread.
pub(crate) fn spawn(command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in requests {
                let _ = answer.send(command.spawn()); // the asker waits for it below
            }
        });
        sender
    });
    let program = format!("{command:?}");
    let (sender, answer) = channel();
    spawner
        .send((command, sender))
        .ok()
        .context("the spawning thread is gone")?;
    let child = answer.recv().context("the spawning thread is gone")?;
    child.with_context(|| format!("cannot start {program}"))
}
