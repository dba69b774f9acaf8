//! A server that runs as a child process: its log, its signals, its end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::pids::ProcessId;
use crate::run_dir::RunDir;
use crate::spawn;
use crate::wait::await_condition;

const POLL: Duration = Duration::from_millis(20);
const KILL_DEADLINE: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Names the log file; unique among what runs at the same time in one run.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Additions to its environment.
    pub env: Vec<(String, OsString)>,
}

impl Spec {
    /// A program under a name, without arguments yet.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds `--name=value`.
    #[must_use]
    pub fn flag(self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        let mut arg = OsString::from(format!("--{name}="));
        arg.push(value.as_ref());
        self.arg(arg)
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: ProcessId,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Process {
    /// Starts a child whose output is appended to `<name>.log` in the run's log folder.
    pub fn start(run: &RunDir, spec: &Spec) -> Result<Self> {
        let log = run.logs().join(format!("{}.log", spec.name));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        let mut command = spawn::command(&spec.program);
        for proxy in spawn::PROXIES {
            command.env_remove(proxy);
        }
        command
            .args(&spec.args)
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = spawn::spawn(command)?;
        let id = ProcessId::of(child.id())
            .with_context(|| format!("{} ended at once; its log: {}", spec.name, log.display()))?;
        run.record(id)?;
        Ok(Self {
            name: spec.name.clone(),
            id,
            log,
            child: Mutex::new(child),
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.id.pid
    }

    /// The processes that its main thread has started and that run now.
    pub(crate) fn children(&self) -> Vec<ProcessId> {
        self.id.children()
    }

    /// The log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// Waits until `probe` gives a value; fails at once, with the log's end, if the process ends.
    pub async fn await_ready<T, F, A>(&self, deadline: Duration, probe: F) -> Result<T>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<Option<T>>>,
    {
        let what = format!("{} to be ready", self.name);
        let result = tokio::select! {
            result = await_condition(&what, deadline, probe) => result,
            status = self.exited() => Err(anyhow::anyhow!("{} ended with {status}", self.name)),
        };
        result.with_context(|| {
            format!(
                "the log {} ends with:\n{}",
                self.log.display(),
                tail(&self.log, 8)
            )
        })
    }

    /// Waits until the process has ended by itself or by a signal.
    pub async fn exited(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.exit_status() {
                return status;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks the process to end (SIGTERM), waits, and kills it if it has not by the deadline.
    ///
    /// An error means that it had to be killed.
    pub async fn terminate(&self, deadline: Duration) -> Result<ExitStatus> {
        self.id.signal(Signal::TERM)?;
        if let Ok(status) = tokio::time::timeout(deadline, self.exited()).await {
            return Ok(status);
        }
        self.kill()?;
        bail!(
            "{} did not end within {deadline:?} of SIGTERM and was killed; its log: {}",
            self.name,
            self.log.display()
        )
    }

    /// Kills the process (SIGKILL) and reaps it.
    pub fn kill(&self) -> Result<()> {
        self.id.signal(Signal::KILL)?;
        let start = Instant::now();
        // until it is reaped: only then are all its threads gone and its ports free
        while !self.is_reaped() {
            if start.elapsed() > KILL_DEADLINE {
                bail!(
                    "{} is still there {KILL_DEADLINE:?} after SIGKILL",
                    self.name
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Stops the process from running (SIGSTOP): it keeps its connections and answers nothing.
    pub fn freeze(&self) -> Result<()> {
        self.id.signal(Signal::STOP)
    }

    /// Lets a frozen process go on (SIGCONT).
    pub fn thaw(&self) -> Result<()> {
        self.id.signal(Signal::CONT)
    }

    /// An error says that it is no child any more: the run's folder has reaped it.
    fn is_reaped(&self) -> bool {
        !matches!(self.child().try_wait(), Ok(None))
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_reaped() {
            let _ = self.kill(); // the run's folder knows it too, and tries again
        }
    }
}

/// The last lines of a log, which usually hold the reason.
pub(crate) fn tail(log: &Path, count: usize) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
