//! The namespaces that a node lives in: process ids, mounts and network of its own.
//!
//! All of a node, containers included, is what runs in them. When the first process in there is
//! killed the kernel kills the rest, and with it go mounts, links, routes and packet filters: no
//! list of things to undo can be wrong or be lost. It also keeps two nodes on one machine apart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::pids::ProcessId;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::on_path;

const READY: Duration = Duration::from_secs(20);

pub(super) const NAMESPACES: [&str; 7] = [
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation=private",
];

/// `/run` and `/var` are the node's own: names of sockets and network namespaces in them are
/// fixed in its programs. Then the process only waits, and takes up orphans.
const FIRST_PROCESS: &str = r#"set -e
mkdir -p "$1/run" "$1/var/lib" "$1/var/log" "$1/var/tmp"
ln -sfn /run "$1/var/run"
mount --bind "$1/run" /run
mount --bind "$1/var" /var
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
touch "$1/ready"
while :; do sleep 86400 & wait $!; done"#;

/// The namespaces of one node, alive as long as this is.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// Under the run's data folder.
    pub(super) folder: PathBuf,
    /// The first process, by the id that it has outside.
    first: ProcessId,
    _unshare: Process,
}

impl Sandbox {
    pub(super) async fn start(run: &RunDir) -> Result<Self> {
        let folder = run.subfolder("node")?;
        let shell = on_path("busybox").context("there is no busybox")?;
        let unshare = on_path("unshare").context("there is no unshare")?;
        let mut spec = Spec::new("node", unshare);
        for argument in NAMESPACES {
            spec = spec.arg(argument);
        }
        let spec = spec
            .arg(shell)
            .arg("sh")
            .arg("-c")
            .arg(FIRST_PROCESS)
            .arg("node")
            .arg(&folder);
        let process = Process::start(run, &spec)?;
        let ready = folder.join("ready");
        process
            .await_ready(READY, || async { Ok(ready.is_file().then_some(())) })
            .await?;
        let first = only_child(process.pid())?;
        run.record(first)?; // when it is gone, so is everything in there
        Ok(Self {
            folder,
            first,
            _unshare: process,
        })
    }

    /// The first process, by the id that it has outside.
    pub(super) fn pid(&self) -> u32 {
        self.first.pid
    }

    /// The same program, started inside.
    pub(super) fn inside(&self, spec: Spec) -> Result<Spec> {
        let nsenter = on_path("nsenter").context("there is no nsenter")?;
        let mut args: Vec<_> = self.enter().into_iter().map(Into::into).collect();
        args.push(spec.program.into_os_string());
        args.extend(spec.args);
        Ok(Spec {
            program: nsenter,
            args,
            ..spec
        })
    }

    /// Runs a program inside to its end and gives what it printed.
    pub(super) async fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        self.run_with_input(program, args, Stdio::null()).await
    }

    /// As [`Self::run`], with something to read.
    pub(super) async fn run_with_input(
        &self,
        program: &str,
        args: &[&str],
        input: Stdio,
    ) -> Result<String> {
        let mut command = Command::new("nsenter");
        command.args(self.enter()).arg(program).args(args);
        run_to_end(command.stdin(input)).await
    }

    fn enter(&self) -> [String; 4] {
        [
            format!("--target={}", self.pid()),
            "--net".into(),
            "--mount".into(),
            "--pid".into(),
        ]
    }
}

/// Runs a command to its end and gives what it printed; an error tells its last words.
pub(super) async fn run_to_end(command: &mut Command) -> Result<String> {
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {:?}", command.as_std()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let command = command.as_std();
        bail!("{command:?} ended with {}: {}", output.status, words.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn only_child(pid: u32) -> Result<ProcessId> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children =
        fs::read_to_string(Path::new(&path)).with_context(|| format!("cannot read {path}"))?;
    let child = children
        .split_whitespace()
        .next()
        .with_context(|| format!("process {pid} has no child"))?;
    ProcessId::of(child.parse()?)
}
