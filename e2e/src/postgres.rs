//! A real `PostgreSQL`, from Debian's package; the bot keeps there what more than one replica must know.
//!
//! It refuses to run as root, so root runs it as the user `postgres`. That user may not look into
//! root's home, where the run's folder may be: the capability to pass by is all that it is given.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::on_path;
use crate::wait::await_condition;

const READY: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);
/// Where Debian keeps each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";
const USER: &str = "bot";
const PASSWORD: &str = "correct-horse";

/// A server that can be stopped and started again with all that it knows. Dropping it kills it.
#[derive(Debug)]
pub struct Postgres {
    name: String,
    folder: PathBuf,
    port: Port,
    /// A second address of this machine where it listens: the one that pods see.
    also_at: Option<String>,
    process: Mutex<Option<Process>>,
}

impl Postgres {
    /// Makes a new server and waits until it answers.
    pub async fn start(run: &RunDir, name: &str) -> Result<Self> {
        Self::start_at(run, name, None).await
    }

    /// As [`Self::start`], reached at this address of the machine too, by whoever knows the password.
    pub async fn start_also_at(run: &RunDir, name: &str, address: &str) -> Result<Self> {
        Self::start_at(run, name, Some(address.to_owned())).await
    }

    async fn start_at(run: &RunDir, name: &str, also_at: Option<String>) -> Result<Self> {
        let folder = run.subfolder(name)?;
        let password = folder.join("password");
        std::fs::write(&password, PASSWORD)?;
        if let Some((user, group)) = other_user()? {
            for path in [&folder, &password] {
                chown(path, Some(user), Some(group))
                    .with_context(|| format!("cannot give {} away", path.display()))?;
            }
        }
        let server = Self {
            name: name.to_owned(),
            folder,
            port: Port::reserve()?,
            also_at,
            process: Mutex::default(),
        };
        server.make(&password)?;
        if server.also_at.is_some() {
            let rules = server.data().join("pg_hba.conf");
            let mut text = std::fs::read_to_string(&rules)?;
            text.push_str("host all all 0.0.0.0/0 scram-sha-256\n");
            std::fs::write(&rules, text)?;
        }
        server.start_again(run).await?;
        Ok(server)
    }

    fn make(&self, password: &Path) -> Result<()> {
        let (program, args) = wrapped("initdb")?;
        let output = Command::new(program)
            .args(args)
            .arg("--pgdata")
            .arg(self.data())
            .arg("--pwfile")
            .arg(password)
            .arg(format!("--username={USER}"))
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"])
            .arg("--no-sync") // what is in it before the first start can be made again
            .current_dir("/")
            .env("LC_ALL", "C")
            .output()
            .context("cannot start initdb")?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("initdb failed: {error}");
        }
        Ok(())
    }

    /// Starts it (again), with what it knew, and waits until it answers.
    pub async fn start_again(&self, run: &RunDir) -> Result<()> {
        let (program, args) = wrapped("postgres")?;
        let spec = args
            .into_iter()
            .fold(Spec::new(&self.name, program), Spec::arg)
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.folder)
            .arg("-p")
            .arg(self.port.number().to_string())
            .arg("-c")
            .arg(format!("listen_addresses={}", self.addresses()))
            .arg("-c")
            .arg("shared_buffers=16MB")
            .env("LC_ALL", "C");
        let process = Process::start(run, &spec)?;
        process.await_ready(READY, || self.answers()).await?;
        *self.process() = Some(process);
        Ok(())
    }

    fn addresses(&self) -> String {
        let also = self.also_at.iter().map(|address| format!(",{address}"));
        ["127.0.0.1".to_owned()].into_iter().chain(also).collect()
    }

    async fn answers(&self) -> Result<Option<()>> {
        let program = bin()?.join("pg_isready");
        let status = tokio::process::Command::new(program)
            .args(["--quiet", "--host=127.0.0.1", "--port"])
            .arg(self.port.number().to_string())
            .status()
            .await?;
        Ok(status.success().then_some(()))
    }

    /// Ends it as a crash would (SIGKILL), and waits for its backends: each ends as soon as it sees that
    /// its parent is gone, may answer until then, and keeps a new server from starting.
    pub async fn kill(&self) -> Result<()> {
        let process = self.process().take().context("it does not run")?;
        let backends = process.children();
        process.kill()?;
        await_condition("its backends to end", STOP, || async {
            Ok(backends
                .iter()
                .all(|backend| !backend.is_alive())
                .then_some(()))
        })
        .await
    }

    /// Ends it in good order: whoever is connected is shown out.
    pub async fn stop(&self) -> Result<()> {
        let process = self.process().take().context("it does not run")?;
        let (program, args) = wrapped("pg_ctl")?;
        let status = tokio::process::Command::new(program)
            .args(args)
            .args(["stop", "--silent", "--mode=fast", "--no-wait", "--pgdata"])
            .arg(self.data())
            .current_dir("/")
            .status()
            .await?;
        if !status.success() {
            bail!("pg_ctl stop: {status}");
        }
        let ended = tokio::time::timeout(STOP, process.exited()).await;
        ended.map(drop).context("it did not stop in time")
    }

    /// What the bot's `--store` is given.
    pub fn url(&self) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@{}/postgres",
            self.port.address()
        )
    }

    /// The same for pods.
    pub fn url_at(&self, address: &str) -> String {
        let port = self.port.number();
        format!("postgres://{USER}:{PASSWORD}@{address}:{port}/postgres")
    }

    /// The password in that URL, which no log may hold.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The answer to a query: a line per row, `|` between columns.
    pub async fn query(&self, sql: &str) -> Result<String> {
        let output = tokio::process::Command::new(bin()?.join("psql"))
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname"])
            .arg(self.url())
            .args(["--command", sql])
            .output()
            .await?;
        if !output.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest version's programs.
fn bin() -> Result<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("postgres").is_file())
        .collect();
    found.sort();
    let (_, bin) = found.pop().with_context(|| {
        format!("there is no PostgreSQL in {VERSIONS}: apt-get install postgresql")
    })?;
    Ok(bin)
}

/// A program of `PostgreSQL`, and what comes before it where we are root.
fn wrapped(program: &str) -> Result<(PathBuf, Vec<String>)> {
    let program = bin()?.join(program);
    if other_user()?.is_none() {
        return Ok((program, Vec::new()));
    }
    let setpriv = on_path("setpriv")
        .context("setpriv (util-linux) is missing: root needs it to start PostgreSQL")?;
    let mut args: Vec<String> = [
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        // who changes the user loses it
        "--pdeathsig=KILL",
        "--",
    ]
    .map(str::to_owned)
    .into();
    args.push(program.display().to_string());
    Ok((setpriv, args))
}

/// Uid and gid of `postgres`, where we are root.
fn other_user() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let ids = passwd.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    ids.map(Some).context(
        "there is no user postgres, whom Debian's package makes: apt-get install postgresql",
    )
}
